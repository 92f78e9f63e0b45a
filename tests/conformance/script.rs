//! The scenario files: one scenario per paragraph, one step per line, comments after `#`.

/// A scenario: its short id and its steps, each split into words.
pub(crate) struct Scenario {
    pub(crate) id: String,
    pub(crate) steps: Vec<Vec<String>>,
}

/// Reads a scenario file.
pub(crate) fn parse(text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            None => {}
            Some("scenario") => scenarios.push(Scenario { id: words[1].clone(), steps: Vec::new() }),
            Some(_) => scenarios.last_mut().expect("a scenario before its steps").steps.push(words),
        }
    }
    scenarios
}

/// The numbers after `=`; `_` is one that upstream does not check.
pub(crate) fn expected(step: &[String]) -> Vec<Option<i64>> {
    let numbers = step.iter().skip_while(|word| *word != "=").skip(1);
    numbers.map(|word| (word != "_").then(|| word.parse().expect("a number"))).collect()
}

/// Compares, and says how many numbers were compared.
pub(crate) fn check(read: &[i64], expected: &[Option<i64>], at: &str) -> usize {
    assert_eq!(read.len(), expected.len(), "{at}");
    let shown: Vec<Option<i64>> = read.iter().zip(expected).map(|(read, wanted)| wanted.map(|_| *read)).collect();
    assert_eq!(shown, expected, "{at}");
    expected.iter().flatten().count()
}

/// `alloc*10` is ten blocks, numbered behind their name; `alloc` is one with the name itself.
pub(crate) fn names(verb: &str, name: &str) -> Vec<String> {
    match verb.split_once('*') {
        Some((_, count)) => (0..count.parse().expect("a count")).map(|at: usize| format!("{name}{at}")).collect(),
        None => vec![name.to_owned()],
    }
}
