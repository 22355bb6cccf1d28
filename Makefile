# Two commands matter:   make book   and   make test
# Both install what they need into .venv the first time, and may be interrupted and repeated.

PYTHON ?= python3
JOBS   ?= 2
NETWORK ?= resnet50 toy-resnet50

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: rows restamp help book test test-code test-settings test-portable test-slow test-book test-site execute stale tidy pages plain lab lint clean distclean student lecturer handouts slides pdf bench gpu site-packages test-packages

BIN  := .venv/bin
PIP  := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS)
# `make` itself shows the commands that take long; the others stay quiet.
OWN  := pyproject.toml

# A stamp is written only after its step has succeeded, and its name holds a checksum of the
# lists of packages: a changed list is installed again, a mere `git checkout` is not.
key   = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
VENV := .venv/.made
SITE := .venv/.site-$(call key,requirements.txt $(OWN))
TEST := .venv/.test-$(call key,requirements.txt requirements-test.txt requirements-lab.txt $(OWN))
LAB  := .venv/.lab-$(call key,requirements-lab.txt)

help:
	@echo "make book      build the site (nothing is executed) and say where it is"
	@echo "make test      run every check: the code, the chapters, the site in a browser"
	@echo "make test-portable  run the rooms' tests and the chapters under other instruction sets and thread counts: hours,"
	@echo "               may be stopped and goes on; SETTINGS=threads=2 PARTS=book for a part of it"
	@echo "make test-code run the first of its four parts: the code's style, types and tests"
	@echo "make test-settings  the second: a part of the tests and a chapter under two other instruction sets"
	@echo "make test-book the third: every cell of the chapters, and what it prints"
	@echo "make test-site the fourth: the site and JupyterLab in a browser"
	@echo "make test-slow run the checks that take minutes, such as twenty kills of a run"
	@echo "make pages     write the pages that are made from chapters and results again"
	@echo "make execute   run the chapters whose code has changed, and store their outputs"
	@echo "               with MODEL=resnet50 PHOTOS=folder (or toyland): a second edition with your network and photographs"
	@echo "make rows      measure the next units of the stored rows: hours, may be stopped and goes on;"
	@echo "               with SETS=..., LIMIT=seconds, DEVICE=cuda, PHOTOS=folder"
	@echo "make restamp   recompute a slice of the stored rows, and say in their manifests that today's code makes them too"
	@echo "               with PHOTOS=folder also of rows that were made of photographs that are not in the repository"
	@echo "make stale     list the chapters that make execute would run, and what has changed"
	@echo "make tidy      put chapters that an editor has saved back into their stored form; runs nothing"
	@echo "make plain     write the chapters as notebooks that render everywhere to _build/plain"
	@echo "make student   write the chapters without solutions to _build/student, a folder to hand out, with graded work"
	@echo "make lecturer  write them with open solutions to _build/lecturer, with exam, assignments and all answers"
	@echo "               give both SEED='a sentence': numbers, photographs and hidden tests follow from it"
	@echo "make handouts  print notes, exam and assignments as PDF to _build/handouts; with SEED='a sentence'"
	@echo "make slides    write slides with notes for every chapter, the 90-minute lecture and the day to _build/slides;"
	@echo "               with PDF=yes prints each deck, too"
	@echo "make pdf       print the book as one PDF with bookmarks, to _build/pdf"
	@echo "make bench     measure what explainers and metrics cost, beside their peers"
	@echo "make gpu       ask a GPU: tests, every map and score beside the CPU's, costs, chapters; installs nothing"
	@echo "make lab       open the chapters in JupyterLab, drawn as on the site"
	@echo "make lint      check the code's style, who may import whom, and its types"
	@echo "make clean     remove what was built or is cached, all of _build; make distclean also removes .venv"
	@echo "make help      list these"
	@echo "Settings: PYTHON=$(PYTHON)  JOBS=$(JOBS)  PIP_FLAGS=(handed to pip install)"

# --- the environment -------------------------------------------------------------------------

$(VENV):
	@command -v $(PYTHON) >/dev/null || \
	  { echo "No '$(PYTHON)' found: install Python 3.11 or newer, or say make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "holicam needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) -V 2>&1): say make PYTHON=python3.12, for example."; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python could not make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(SITE): | $(VENV)
	@echo "Installing requirements.txt into .venv; the first time this takes minutes, for PyTorch is large."
	$(PIP) -r requirements.txt
	$(PIP) --no-deps --editable .
	@rm -f .venv/.site-* && touch $@

$(TEST): | $(SITE)
	$(PIP) -r requirements.txt -r requirements-test.txt
	@rm -f .venv/.test-* && touch $@

$(LAB): | $(SITE)
	$(PIP) -r requirements.txt -r requirements-lab.txt
	@rm -f .venv/.lab-* && touch $@

site-packages: $(SITE)
test-packages: $(TEST)

# --- the two commands ------------------------------------------------------------------------

book: $(SITE)
	@$(BIN)/python -m tools.build_site

# All four run even if one fails, so that one run shows everything that is wrong.
test: $(TEST)
	@failed=; \
	for part in test-code test-settings test-book test-site; do \
	  $(MAKE) --no-print-directory $$part || failed="$$failed $$part"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed"; exit 1; fi

# Small tensors: one thread a process and JOBS processes is the fastest way through.
test-code: $(TEST)
	@echo "--- the code"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -q -n $(JOBS) --dist worksteal -m "not slow" --ignore-glob='tests/book/test_site*.py'

# The cheap part of test-portable: the runner's tests and a chapter whose numbers rounding could move.
test-settings: $(TEST)
	@echo "--- the same under two other instruction sets"
	@$(BIN)/python -m tools.portable --subset --jobs $(JOBS)

# One factor at a time against this processor's own; results in _build/portable, and what is there is not run again.
test-portable: $(TEST)
	@$(BIN)/python -m tools.portable --jobs $(JOBS) $(if $(SETTINGS),--settings $(SETTINGS)) $(if $(PARTS),--parts $(PARTS))

test-slow: $(TEST)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -q -m slow --ignore-glob='tests/book/test_site*.py'

test-book: $(TEST)
	@echo "--- the chapters: every cell is run again and its text compared with what is stored"
	@if ls book/*.ipynb >/dev/null 2>&1; then \
	  $(BIN)/python -m pytest --nbval --nbval-current-env --nbval-cell-timeout=300 \
	    --nbval-sanitize-with=tests/sanitize.cfg --dist loadscope -n $(JOBS) -q book/; \
	else echo "There is no chapter yet."; fi

test-site: $(TEST)
	@echo "--- the site and JupyterLab, in a browser"
	@$(BIN)/python -m tools.build_site --quiet
	@$(BIN)/python -m pytest tests/book/test_site*.py -q -rs -n $(JOBS) --dist loadfile --no-loadscope-reorder

# --- the others ------------------------------------------------------------------------------

# With MODEL or PHOTOS the chapters that take any network are run with yours, into _build/edition-<model>.
SECOND := $(filter command line,$(origin MODEL) $(origin PHOTOS))
execute: $(SITE)
	@$(BIN)/python -m $(if $(SECOND),tools.second_edition $(if $(MODEL),--model "$(MODEL)") \
	  $(if $(PHOTOS),--photos "$(PHOTOS)"),tools.execute $(CHAPTERS))

# In the order of tools/rows.py; whatever is done when time is up lies in data/results, and is to be committed.
# On a GPU nothing is installed: with the Python of .venv where there is one, and PYTHON where there is none.
LIMIT ?= 3300
ifdef DEVICE
rows:
	@OMP_NUM_THREADS=1 $(or $(wildcard $(BIN)/python),$(PYTHON)) -m tools.rows $(SETS) --limit $(LIMIT) --device $(DEVICE) $(if $(PHOTOS),--photos "$(PHOTOS)")
else
rows: $(SITE)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.rows $(SETS) --limit $(LIMIT) --jobs $(JOBS) $(if $(PHOTOS),--photos "$(PHOTOS)")
endif

restamp: $(SITE)
	@$(BIN)/python -m tools.restamp $(SETS) $(if $(PHOTOS),--photos "$(PHOTOS)")

stale: $(SITE)
	@$(BIN)/python -m tools.stale

tidy: $(SITE)
	@$(BIN)/python -m tools.tidy $(CHAPTERS)

# The claim ledger, notes on the published tables, provenance, who builds what, the syllabi's tables, the costs.
pages: $(SITE)
	@$(BIN)/python -m tools.pages

# Result files, and the page made from them. NETWORK=toy-resnet50 alone takes minutes, both take an hour.
bench: $(TEST)
	@for file in insertion_deletion road linear gates; do OMP_NUM_THREADS=1 $(BIN)/python benchmarks/$$file.py; done
	@for network in $(NETWORK); do OMP_NUM_THREADS=1 $(BIN)/python benchmarks/explainers.py --network $$network; done
	@$(BIN)/python -m tools.pages speed

# With whichever Python here has a PyTorch that sees a CUDA device; `python -m tools.gpu --device cpu` rehearses it.
gpu:
	@$(PYTHON) -m tools.gpu

plain: $(SITE)
	@$(BIN)/python -m tools.plain

# Numbers, photographs and hidden tests of graded work follow from SEED, any text; without it they are public.
# make student lecturer SEED='a sentence' keeps both editions together.
SEEDED := $(filter command line environment,$(origin SEED))
student lecturer: $(SITE)
	@$(BIN)/python -m tools.editions $@ $(if $(SEEDED),--seed "$$SEED")

# Notes, exam and assignments as PDF, for students and, in files called -answers, for the lecturer.
handouts: $(TEST)
	@$(BIN)/python -m tools.handouts $(if $(SEEDED),--seed "$$SEED")

slides: $(if $(PDF),$(TEST),$(SITE))
	@$(BIN)/python -m tools.slides $(if $(PDF),--pdf)

# With the system's Chromium, from the built site.
pdf: $(TEST)
	@$(BIN)/python -m tools.build_site --quiet
	@$(BIN)/python -m tools.pdf

lab: $(LAB)
	@$(BIN)/python -m jupyterlab --ServerApp.root_dir=book --ServerApp.contents_manager_class=tools.lab.Contents

lint: $(TEST)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

clean:
	@rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	@rm -rf .venv
