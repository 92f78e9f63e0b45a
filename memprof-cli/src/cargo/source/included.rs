//! What a source file takes from other files by a literal path: `include_str!`, `include_bytes!`, `include!` and
//! `#[path = ".."]`.
//!
//! They are found among the tokens, inside macro calls and attributes too; a path that is put together (`concat!`,
//! `env!`) is not. Any `path = ".."` is taken for one: too many cost a look, too few a file that the compiler misses in
//! the mirror. Whether there is such a file is left to `mirror`.

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;

/// A file that is named in a source file, relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Included {
    pub(crate) path: String,
    /// It is read as text or bytes, so it has to stay as it is.
    pub(crate) is_data: bool,
}

/// All of a file's tokens, those inside macro calls and attributes too.
pub(crate) fn included(tokens: TokenStream) -> Vec<Included> {
    let mut found = Vec::new();
    search(tokens, &mut found);
    found
}

fn search(tokens: TokenStream, found: &mut Vec<Included>) {
    // The words before the token that is looked at: `include_str` and `!`, or `path` and `=`.
    let (mut word, mut mark) = (String::new(), ' ');
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let is_data = matches!(word.as_str(), "include_str" | "include_bytes");
                if mark == '!'
                    && (is_data || word == "include")
                    && let Ok(path) = syn::parse2::<LitStr>(group.stream())
                {
                    found.push(Included { path: path.value(), is_data });
                }
                search(group.stream(), found);
                (word, mark) = (String::new(), ' ');
            }
            TokenTree::Ident(ident) => (word, mark) = (ident.to_string(), ' '),
            TokenTree::Punct(punct) => mark = punct.as_char(),
            TokenTree::Literal(literal) => {
                if word == "path"
                    && mark == '='
                    && let Ok(path) = syn::parse_str::<LitStr>(&literal.to_string())
                {
                    found.push(Included { path: path.value(), is_data: false });
                }
                (word, mark) = (String::new(), ' ');
            }
        }
    }
}
