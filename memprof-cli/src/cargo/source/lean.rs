//! [`cannot_allocate`]: which functions of a package need no row, because nothing that they call can allocate.
//!
//! By name alone, over the package: a function is harmless while all that it calls is, which is either of the standard library and in the
//! list of what does not allocate, or of the package and harmless itself. It begins with all of them harmless and takes out what is not
//! until nothing changes, so functions that call one another are taken together. A mistake moves bytes to the caller's row, and
//! nothing else: what a function that is not tracked allocates is its caller's.
//!
//! What a function of the package allocates is in its own row, whoever calls it. So where a name does not say whether it is meant
//! (an operator, `iter`, `next`, `get`, which most calls of mean the standard library's), it is not taken for it: at most the
//! caller is missing on the way to that row.

use std::collections::HashMap;

use super::{
    callees::Callee,
    function::Function,
    std_names::{ALLOCATING_METHODS, HARMLESS_FUNCTIONS, HARMLESS_METHODS, HARMLESS_PRELUDE, HARMLESS_QUALIFIERS},
};

/// Functions by their names, as places in the slice that they were given in.
struct Names<'a> {
    by_ident: HashMap<&'a str, Vec<usize>>,
    by_type: HashMap<(&'a str, &'a str), Vec<usize>>,
    types: std::collections::HashSet<&'a str>,
}

/// For each function of a package, whether it cannot allocate.
pub(crate) fn cannot_allocate(functions: &[&Function]) -> Vec<bool> {
    let names = Names::of(functions);
    let mut harmless: Vec<bool> = functions.iter().map(|function| !function.callees.allocates).collect();
    loop {
        let mut changed = false;
        for (index, function) in functions.iter().enumerate() {
            if harmless[index] && !function.callees.calls.iter().all(|callee| names.is_harmless(callee, &harmless)) {
                harmless[index] = false;
                changed = true;
            }
        }
        if !changed {
            return harmless;
        }
    }
}

impl<'a> Names<'a> {
    fn of(functions: &[&'a Function]) -> Self {
        let mut names =
            Self { by_ident: HashMap::new(), by_type: HashMap::new(), types: std::collections::HashSet::new() };
        for (index, function) in functions.iter().enumerate() {
            names.by_ident.entry(&function.ident).or_default().push(index);
            if let Some(of) = &function.of {
                names.by_type.entry((of, &function.ident)).or_default().push(index);
                names.types.insert(of);
            }
        }
        names
    }

    fn is_harmless(&self, callee: &Callee, harmless: &[bool]) -> bool {
        let all = |own: &Vec<usize>| own.iter().all(|index| harmless[*index]);
        let own = |name: &str| self.by_ident.get(name).map(all);
        // One of the package's own that has a harmless name of the standard library, and allocates, has a row itself.
        let method = |name: &str| {
            HARMLESS_METHODS.contains(name) || (own(name).unwrap_or(false) && !ALLOCATING_METHODS.contains(name))
        };
        match callee {
            Callee::Method(name) => method(name),
            Callee::Function(name) => own(name).unwrap_or_else(|| HARMLESS_PRELUDE.contains(name.as_str())),
            Callee::Named(name) => own(name).unwrap_or(true),
            Callee::Of(of, name) => {
                if let Some(own) = self.by_type.get(&(of.as_str(), name.as_str())) {
                    return all(own);
                }
                let is_listed = HARMLESS_FUNCTIONS.contains(format!("{of}::{name}").as_str())
                    || (HARMLESS_QUALIFIERS.contains(of.as_str()) && !ALLOCATING_METHODS.contains(name.as_str()));
                if is_listed || self.types.contains(of.as_str()) {
                    // Of a type of the package: a method that a macro or a derive wrote.
                    return is_listed || method(name);
                }
                // `module::name()`: the function of that name, if the package has one. `Str::len(x)`, `T::len(x)`: a method of some
                // other type, so that one of the package's own that has its name says nothing of it.
                if of.starts_with(char::is_lowercase) {
                    own(name).unwrap_or(false)
                } else {
                    HARMLESS_METHODS.contains(name.as_str())
                }
            }
        }
    }
}
