use std::{fs, process::Command};

use crate::support::{PROFILE, folder, printed};

/// The examples of each help run as they stand.
#[test]
fn each_example_of_the_help_runs() {
    let folder = folder("help");
    for name in ["profile.json", "base.json", "new.json"] {
        fs::copy(PROFILE, folder.join(name)).expect("the profile");
    }
    for verb in ["report", "convert", "diff"] {
        let help = printed(&[verb, "--help"]);
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let mut count = 0;
        for line in examples.filter_map(|line| line.trim().strip_prefix("memprof ")) {
            // Two spaces and more stand before what it is for. The profile has one space, the host.
            let call = line.split("  ").next().expect("a call").replace("cuda:0", "host");
            let output =
                Command::new(env!("CARGO_BIN_EXE_memprof")).args(call.split(' ')).current_dir(&folder).output();
            let output = output.expect("the command starts");
            assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{call}");
            count += 1;
        }
        assert!(count >= 3, "{help}");
    }
}
