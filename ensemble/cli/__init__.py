"""What the command lines have in common: every shared option, check, exit status and message is stated once, here.

    parser       a parser whose refusals read like all others
    program      a command from its parser to its exit status; what is said when it cannot go on
    listing      the commands of a package, as their files tell them
    start        reid-ensemble: all of them by their names, and help by task
    numbers      numbers and sizes as people write them
    files        --features, --rankings, --query-names, --gallery-names, --names, --pattern, --tracks
    protocols    --protocol and the rules that change it
    machine      --threads, --memory, --device
    outputs      --out, --csv, --json
    intervals    --seed, --resamples, --level, --independent
    pictures     --images, --report-size
    planning     --recipe, --set, and all that a command needs which runs a recipe
    running      the options of ensemble.run
    walk         run a recipe and print a line a step

A command adds the groups that it wants to its parser, and asks the same module for what they say.
"""
