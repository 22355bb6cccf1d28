from tools.slides.build import main

main()
