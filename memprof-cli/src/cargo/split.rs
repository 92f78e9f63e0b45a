//! [`Split`]: which words of a call are this command's, which are cargo's, and which the program's.
//!
//! It stands before clap, since cargo's options and the program's arguments are no business of clap's. No word but `--`
//! is lost, and each list keeps the order. Options of one letter that stand together are taken apart, since one can be
//! cargo's and the next this command's: `-ro FILE` is cargo's `-r` and the `-o` of here. No other word is changed. An
//! option that nobody knows here is taken for one of cargo's without a value, so cargo says what is wrong with it; to
//! `report` and `plan`, which have nothing built, it is this command's own, and refused. What the options mean is left
//! to `arguments`, and which ones cargo has to [`options`].

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use super::options;

/// The words of a call: those that are this command's, cargo's, and the program's.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) own: Vec<OsString>,
    pub(super) cargo: Vec<OsString>,
    pub(super) program: Vec<OsString>,
}

impl Split {
    /// The words of a call of `verb`, whose name is the first.
    pub(super) fn of(verb: &Command, words: Vec<OsString>) -> Self {
        let mut split = Self::default();
        // These two call no cargo that would say that it has no such option.
        let is_strict = matches!(verb.get_name(), "report" | "plan");
        let mut words = words.into_iter().peekable();
        split.own.extend(words.next());
        while let Some(word) = words.next() {
            if word == "--" {
                split.program.extend(words);
                break;
            }
            if !options::is_option(&word.to_string_lossy()) {
                if verb.get_name() == "run" {
                    split.program.push(word);
                    split.program.extend(words);
                    break;
                }
                let list = if is_strict { &mut split.own } else { &mut split.cargo };
                list.push(word);
                continue;
            }
            for Found { name, word, is_joined } in apart(verb, word) {
                let own = takes_value(verb, &name);
                let of_cargo = options::takes_value(&name);
                // What is joined to one that takes no value is no option of cargo's, but for the form of this one.
                let is_cargos = of_cargo == Some(true) || of_cargo.is_some() && (!is_joined || name == "--timings");
                let is_own = own.is_some() || is_strict && !is_cargos;
                let list = if is_own { &mut split.own } else { &mut split.cargo };
                list.push(word);
                if own.or(of_cargo) == Some(true) && !is_joined {
                    let is_value = |next: &OsString| options::is_value(&name, &next.to_string_lossy());
                    list.extend(words.next_if(is_value));
                }
            }
        }
        split
    }
}

/// An option in a word.
struct Found {
    name: String,
    /// With a value that is joined to it.
    word: OsString,
    is_joined: bool,
}

/// The options in a word: one, or several of one letter, of which the last can have a value. What is not known is left as it stands, for
/// whoever complains of it.
fn apart(verb: &Command, word: OsString) -> Vec<Found> {
    let text = word.to_string_lossy().into_owned();
    if text.starts_with("--") {
        let name = text.split('=').next().unwrap_or_default().to_owned();
        return vec![Found { is_joined: name.len() < text.len(), name, word }];
    }
    // One that is no UTF-8 holds the name of a file.
    let is_text = OsStr::new(&text) == word;
    let mut found = Vec::new();
    for (at, letter) in text.char_indices().skip(1) {
        let name = format!("-{letter}");
        let rest = &text[at + letter.len_utf8()..];
        let is_alone = takes_value(verb, &name).or(options::takes_value(&name)) == Some(false);
        if is_alone && is_text && !rest.starts_with('=') {
            found.push(Found { word: name.clone().into(), name, is_joined: false });
            continue;
        }
        let word = if at == 1 { word } else { format!("-{}", &text[at..]).into() };
        found.push(Found { name, word, is_joined: !rest.is_empty() });
        break;
    }
    found
}

/// Whether an option of `verb` takes a value; `None` where it has no such option.
fn takes_value(verb: &Command, name: &str) -> Option<bool> {
    if matches!(name, "-h" | "--help") {
        return Some(false);
    }
    let is_it = |argument: &&Arg| match name.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short().is_some_and(|short| name.strip_prefix('-') == Some(short.to_string().as_str())),
    };
    verb.get_arguments().find(is_it).map(|option| option.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::{super::arguments::definitions, *};

    /// Own words, cargo's, and the program's, of a call that begins with its verb.
    fn split(line: &str) -> [String; 3] {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let definitions = definitions();
        let verb = definitions.find_subcommand(&words[0]).expect("a verb");
        let Split { own, cargo, program } = Split::of(verb, words);
        [own[1..].to_vec(), cargo, program].map(|words| words.join(OsStr::new(" ")).into_string().expect("UTF-8"))
    }

    #[test]
    fn options_of_one_letter_are_read_together_and_apart() {
        for (line, own, cargo, program) in [
            ("run -r -p a in.txt -r", "", "-r -p a", "in.txt -r"),
            ("run -rp a in.txt", "", "-r -p a", "in.txt"),
            ("run -rpa in.txt", "", "-r -pa", "in.txt"),
            ("run -rp=a in.txt", "", "-r -p=a", "in.txt"),
            ("run -pa -qr x", "", "-pa -q -r", "x"),
            ("run -pr x", "", "-pr", "x"),
            ("run -j4 -j 4 -qj=4 x -j4", "", "-j4 -j 4 -q -j=4", "x -j4"),
            ("run -Zfoo -qZ foo -vvF a,b x", "", "-Zfoo -q -Z foo -v -v -F a,b", "x"),
            // This command's own among cargo's.
            ("run -ro r.html x", "-o r.html", "-r", "x"),
            ("run -qror.html x", "-or.html", "-q -r", "x"),
            ("test -qo=p.json name -rh", "-o=p.json -h", "-q name -r", ""),
            // The number of jobs, and what the program takes for stdin.
            ("run -rj -1 x", "", "-r -j -1", "x"),
            ("run -r - -q", "", "-r", "- -q"),
            // A value that is lacking.
            ("run -p -r x", "", "-p -r", "x"),
            ("run -rp -- x", "", "-r -p", "x"),
            ("run --bin --rows 3 -- x", "--rows 3", "--bin", "x"),
            ("run --rows -r x", "--rows", "-r", "x"),
            // Not known: cargo says so, in a call that has one.
            ("run -rx5p a", "", "-r -x5p", "a"),
            ("build -r=x -é5", "", "-r=x -é5", ""),
            ("plan -rx -qp a", "-x", "-r -q -p a", ""),
            ("plan --release=x --timings=html --functions", "--release=x --functions", "--timings=html", ""),
        ] {
            assert_eq!(split(line), [own, cargo, program], "{line}");
        }
    }

    /// The name of a file may be none. What stands before it in the word is not taken apart then.
    #[cfg(unix)]
    #[test]
    fn a_word_that_is_no_text_is_left_whole() {
        use std::os::unix::ffi::OsStringExt as _;
        let definitions = definitions();
        let verb = definitions.find_subcommand("run").expect("a verb");
        let [own, cargo] = [&b"-or\xff.html"[..], b"-ro\xff.html"].map(|word| OsString::from_vec(word.to_vec()));
        let split = Split::of(verb, vec!["run".into(), own.clone(), cargo.clone(), "x".into()]);
        assert_eq!((split.own, split.cargo, split.program), (vec!["run".into(), own], vec![cargo], vec!["x".into()]));
    }
}
