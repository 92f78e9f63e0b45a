//! The files by which whoever starts a program learns that memprof measures in it, and whether memprof was asked when it ended.
//!
//! There is one for each process, from when memprof begins to measure in it until its last report is written. One that stays tells why there is no
//! report: the process ended where nobody asks memprof (`_exit`, SIGKILL), became another program, or still runs. Where there never was one, memprof
//! never began. It holds the program's name. How it comes and goes is left to the recorder, and what is said of it to the command.

/// The variable that names the folder of the files. It is the command's own: its name does not begin with `MEMPROF`, as a user's do.
pub const VARIABLE: &str = "__MEMPROF_BEGUN";

const ENDING: &str = ".begun";

/// The name of the file of a process.
pub fn file_name(process: u32) -> String {
    format!("{process}{ENDING}")
}

/// The process whose file has this name.
pub fn process(file_name: &str) -> Option<u32> {
    file_name.strip_suffix(ENDING)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name() {
        assert_eq!(process(&file_name(42)), Some(42));
        for other in ["42.json", "42", ".begun", "x.begun"] {
            assert_eq!(process(other), None, "{other}");
        }
    }
}
