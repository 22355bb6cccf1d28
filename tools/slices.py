"""The part of a notebook that chosen cells depend on: a backward slice by names.

A statement is kept if it binds or changes a name that a kept statement behind it reads. The rule errs
on the side of keeping: a call that stands alone may change whatever it is called on or given, a loop
that changes its variable changes what it runs over, and what a function reads is needed wherever the
function may be called. What is dropped are prints, drawings, assertions and the values they alone use.
A second name for the same value is not followed: a change made through one name does not count for the other.
"""

import ast

QUIET = {"print", "display"}  # calls that change nothing
DRAWS = "plot"  # hc.plot.anything draws and changes nothing
SCOPES = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def names(node: ast.AST) -> tuple[set[str], set[str]]:
    """The bare names that a piece of code loads and binds in its own scope; what is local to functions is left out."""
    if isinstance(node, ast.Name):
        return ({node.id}, set()) if isinstance(node.ctx, ast.Load) else (set(), {node.id})
    if isinstance(node, ast.alias):
        return set(), {(node.asname or node.name).split(".")[0]}
    loads, binds = set(), set()
    for child in ast.iter_child_nodes(node):
        more = names(child)
        loads, binds = loads | more[0], binds | more[1]
    if isinstance(node, COMPREHENSIONS):
        return loads - binds | names(node.generators[0].iter)[0], set()
    if isinstance(node, SCOPES):
        given = [a for a in ast.walk(node.args) if isinstance(a, ast.arg)] if hasattr(node, "args") else []
        return loads - binds - {a.arg for a in given}, {node.name} if hasattr(node, "name") else set()
    return loads, binds


def root(node: ast.AST) -> str | None:
    """The bare name at the start of `a.b[c].d()`."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def draws(call: ast.Call) -> bool:
    """True for print(...) and hc.plot.anything(...)."""
    where = call.func
    return (isinstance(where, ast.Name) and where.id in QUIET) or (
        isinstance(where, ast.Attribute) and isinstance(where.value, ast.Attribute) and where.value.attr == DRAWS)


def changed(statement: ast.stmt) -> set[str]:
    """The names whose values a statement may change without binding them."""
    found: set[str | None] = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.add(root(node))
        elif isinstance(node, ast.AugAssign):
            found.add(root(node.target))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not draws(node.value):
            call = node.value
            found |= {root(call.func), *(n for a in [*call.args, *(k.value for k in call.keywords)]
                                         for n in names(a)[0])}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            found.add(root(node.func))  # requires_grad_(), copy_()
    for node in ast.walk(statement):
        if isinstance(node, (ast.For, ast.comprehension)) and names(node.target)[1] & found:
            found |= names(node.iter)[0]
    return {name for name in found if name}


def read(statement: ast.stmt) -> set[str]:
    """The names a statement needs from before it."""
    if isinstance(statement, ast.For):
        inside = set().union(*(names(s)[0] for s in statement.body + statement.orelse)) | changed(statement)
        return names(statement.iter)[0] | (inside - names(statement.target)[1])
    return names(statement)[0] | changed(statement)


def late(statement: ast.stmt) -> set[str]:
    """The names that functions made by a statement read when they are called, which may be anywhere."""
    return set().union(*(names(n)[0] for n in ast.walk(statement) if isinstance(n, SCOPES)))


def certain(statement: ast.stmt) -> set[str]:
    """The names a statement binds whatever happens, so that no earlier value of theirs is needed."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        flat = [t for target in targets for t in getattr(target, "elts", [target])]
        return {t.id for t in flat if isinstance(t, ast.Name)}
    return names(statement)[1] if isinstance(statement, (*SCOPES, ast.Import, ast.ImportFrom)) else set()


def sliced(cells: list[str], wanted: set[int]) -> list[str]:
    """The sources of all cells, of which the wanted ones stand as they were and others hold what these need.

    A cell of which nothing is needed becomes empty. `hc.setup` is always kept.
    """
    trees = [ast.parse(cell).body for cell in cells]
    statements = [(i, s) for i, tree in enumerate(trees) for s in tree]
    anywhere: set[str] = set()
    while True:
        needed, kept, grown = set(anywhere), set(), set(anywhere)
        for place in reversed(range(len(statements))):
            cell, statement = statements[place]
            setup = isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("hc.setup(")
            if cell in wanted or setup or (names(statement)[1] | changed(statement)) & needed:
                kept.add(place)
                needed = (needed - certain(statement)) | read(statement) | anywhere
                grown |= late(statement)
        if grown == anywhere:
            break
        anywhere = grown
    return [cell if i in wanted else "\n".join(ast.unparse(s) for place, (owner, s) in enumerate(statements)
                                               if owner == i and place in kept) for i, cell in enumerate(cells)]
