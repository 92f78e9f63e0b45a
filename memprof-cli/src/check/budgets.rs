//! [`Budgets`]: what `memprof.toml` says. What it cannot mean is refused here, with its line.
//!
//! Amounts are read by [`amount`](super::amount). What a profile has to do with a budget is left to `judge`.

use std::{fs, ops::Range, path::Path};

use serde::Deserialize;
use toml::Spanned;

use super::{
    amount::{Allowance, Bytes},
    limit::Limit,
};
use crate::{error::Error, glob::Glob};

/// What is judged.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) budgets: Vec<Budget>,
    pub(crate) baseline: Option<Baseline>,
}

/// One `[[budget]]`.
#[derive(Debug)]
pub(crate) struct Budget {
    /// `budget 2 (memprof.toml:9)`.
    pub(crate) title: String,
    /// `scope "DataFrame::*"`, or `the whole process`.
    pub(crate) subject: String,
    pub(crate) scope: Option<Glob>,
    pub(crate) file: Option<Glob>,
    pub(crate) space: Glob,
    pub(crate) limits: Vec<(Limit, i128)>,
    pub(crate) sum: bool,
}

/// `[baseline]`.
#[derive(Debug)]
pub(crate) struct Baseline {
    /// Relative to the folder of `memprof.toml`.
    pub(crate) file: Option<String>,
    pub(crate) allowances: Vec<(Limit, Allowance)>,
}

impl Default for Baseline {
    /// Where no file says otherwise: no peak may be greater.
    fn default() -> Self {
        Self { file: None, allowances: vec![(Limit::Peak, Allowance::NOTHING)] }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    budget: Vec<Spanned<BudgetTable>>,
    baseline: Option<Spanned<BaselineTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetTable {
    scope: Option<String>,
    file: Option<String>,
    space: Option<String>,
    peak: Option<Bytes>,
    total: Option<Bytes>,
    live: Option<Bytes>,
    kept: Option<Bytes>,
    ncalls: Option<u64>,
    #[serde(default)]
    sum: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineTable {
    file: Option<String>,
    peak: Option<Allowance>,
    total: Option<Allowance>,
    live: Option<Allowance>,
    kept: Option<Allowance>,
    ncalls: Option<Allowance>,
}

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Budgets, Error> {
    let problem = |what: String| Error::File(format!("cannot read ‘{}’: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| problem(format!("{error}; memprof init writes one")))?;
    parse(&text, &path.display().to_string()).map_err(problem)
}

/// Reads the text of the file of this name.
fn parse(text: &str, name: &str) -> Result<Budgets, String> {
    let line = |span: Range<usize>| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
    let file: File = toml::from_str(text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| format!("line {}: ", line(span)));
        format!("{place}{}", error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let mut budgets = Vec::new();
    for (index, table) in file.budget.into_iter().enumerate() {
        let line = line(table.span());
        let title = format!("budget {} ({name}:{line})", index + 1);
        budgets.push(budget(table.into_inner(), title).map_err(|error| format!("line {line}: {error}"))?);
    }
    let baseline = file.baseline.map(|table| baseline(table.into_inner()));
    if budgets.is_empty() && baseline.is_none() {
        return Err("it judges nothing; accepted: at least one [[budget]], or [baseline]".to_owned());
    }
    Ok(Budgets { budgets, baseline })
}

fn budget(table: BudgetTable, title: String) -> Result<Budget, String> {
    let BudgetTable { scope, file, space, peak, total, live, kept, ncalls, sum } = table;
    let bytes = |limit, bytes: Option<Bytes>| bytes.map(|bytes| (limit, bytes.0));
    let limits = [
        bytes(Limit::Peak, peak),
        bytes(Limit::Total, total),
        bytes(Limit::Live, live),
        bytes(Limit::Kept, kept),
        ncalls.map(|calls| (Limit::Ncalls, calls.into())),
    ];
    let limits: Vec<(Limit, i128)> = limits.into_iter().flatten().collect();
    let names = |of: fn(Limit) -> bool| -> Option<&str> {
        limits.iter().find(|(limit, _)| of(*limit)).map(|(limit, _)| limit.name())
    };
    let is_whole = scope.is_none() && file.is_none();
    if limits.is_empty() {
        return Err("a budget without a limit; accepted: peak, total, live, kept, ncalls".to_owned());
    }
    if let (true, Some(name)) = (is_whole, names(|limit| matches!(limit, Limit::Kept | Limit::Ncalls))) {
        return Err(format!("the whole process has no {name}; accepted without scope and file: peak, total, live"));
    }
    if let (true, Some(name)) = (sum, names(|limit| matches!(limit, Limit::Peak | Limit::Kept))) {
        return Err(format!("{name} of several rows is no sum; accepted with sum: total, live, ncalls"));
    }
    if sum && is_whole {
        return Err("the whole process is one; accepted with sum: a scope or a file".to_owned());
    }
    let said = |what: &str, pattern: &Option<String>| pattern.as_ref().map(|pattern| format!("{what} \"{pattern}\""));
    let subject: Vec<String> = [said("scope", &scope), said("file", &file)].into_iter().flatten().collect();
    Ok(Budget {
        title,
        subject: if is_whole { "the whole process".to_owned() } else { subject.join(" and ") },
        scope: scope.map(|pattern| Glob::scope("scope", pattern)).transpose()?,
        file: file.map(|pattern| Glob::file("file", pattern)).transpose()?,
        space: Glob::scope("space", space.unwrap_or_else(|| "host".to_owned()))?,
        limits,
        sum,
    })
}

fn baseline(table: BaselineTable) -> Baseline {
    let BaselineTable { file, peak, total, live, kept, ncalls } = table;
    let chosen = [peak, total, live, kept, ncalls];
    let allowances: Vec<(Limit, Allowance)> =
        Limit::ALL.into_iter().zip(chosen).filter_map(|(limit, allowance)| Some((limit, allowance?))).collect();
    let default = Baseline::default().allowances;
    Baseline { file, allowances: if allowances.is_empty() { default } else { allowances } }
}

#[cfg(test)]
mod tests {
    use super::{Limit, parse};

    fn refused(text: &str) -> String {
        parse(text, "memprof.toml").expect_err("it is wrong")
    }

    #[test]
    fn a_budget_has_its_limits_in_bytes_and_its_line() {
        let text = "# first\n[[budget]]\nscope = \"A::*\"\nfile = \"src/**\"\npeak = \"24 MiB\"\nlive = 0\n\n[[budget]]\nspace = \"cuda:*\"\ntotal = \"1 GB\"\n";
        let budgets = parse(text, "memprof.toml").expect("it is right").budgets;
        assert_eq!(budgets[0].title, "budget 1 (memprof.toml:2)");
        assert_eq!(budgets[0].subject, "scope \"A::*\" and file \"src/**\"");
        assert_eq!(budgets[0].limits, [(Limit::Peak, 24 << 20), (Limit::Live, 0)]);
        assert_eq!((&*budgets[1].title, &*budgets[1].subject), ("budget 2 (memprof.toml:8)", "the whole process"));
        assert!(budgets[1].space.matches("cuda:3") && !budgets[1].space.matches("host"));
    }

    #[test]
    fn a_glob_of_scopes_crosses_colons_and_one_of_files_no_slash() {
        let text = "[[budget]]\nscope = \"<[T] as A>::*\"\nfile = \"src/*.rs\"\nlive = 0\n";
        let budget = &parse(text, "x").expect("it is right").budgets[0];
        let (scope, file) = (budget.scope.as_ref().expect("a glob"), budget.file.as_ref().expect("a glob"));
        assert!(scope.matches("<[T] as A>::*") && scope.matches("<T as A>::f"));
        assert!(file.matches("src/a.rs") && !file.matches("src/b/a.rs"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let is = [
            (
                "[[budget]]\npeak = \"24 MiB\"\nsize = 3\n",
                "line 3: unknown field `size`, expected one of `scope`, `file`, `space`, `peak`, `total`, `live`, `kept`, `ncalls`, `sum`",
            ),
            (
                "\n[[budget]]\npeak = \"24 mb\"\n",
                "line 3: ‘24 mb’ is no number of bytes: ‘mb’ is no unit of memory, ‘MB’ is; accepted: a number of bytes, or a string of one and its unit: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, as in \"24 MiB\"",
            ),
            (
                "[[budget]]\nlive = -1\n",
                "line 2: ‘-1’ is below 0; accepted: a number of bytes, or a string of one and its unit: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, as in \"24 MiB\"",
            ),
            (
                "[[budget]]\nscope = \"a\"\n",
                "line 1: a budget without a limit; accepted: peak, total, live, kept, ncalls",
            ),
            (
                "[[budget]]\nkept = 0\n",
                "line 1: the whole process has no kept; accepted without scope and file: peak, total, live",
            ),
            (
                "[[budget]]\nscope = \"a\"\npeak = 1\nsum = true\n",
                "line 1: peak of several rows is no sum; accepted with sum: total, live, ncalls",
            ),
            (
                "[[budget]]\ntotal = 1\nsum = true\n",
                "line 1: the whole process is one; accepted with sum: a scope or a file",
            ),
            ("[[budget]]\nscope = \"a[b\"\nlive = 0\n", "line 1: scope = \"a[b\" is no glob: invalid range pattern"),
            (
                "[baseline]\npeak = \"2 %\"\n",
                "line 2: ‘2 %’ is nothing that comes on top; accepted: \"+2 %\", \"+64 KiB\" or \"+0 %\"",
            ),
            ("", "it judges nothing; accepted: at least one [[budget]], or [baseline]"),
        ];
        for (text, expected) in is {
            assert_eq!(refused(text), expected, "{text}");
        }
        assert!(refused("[[budget]\n").starts_with("line 1: "));
    }
}
