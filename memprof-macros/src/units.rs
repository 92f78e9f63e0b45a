//! Amounts of memory as `#[limit]` takes them: a literal, either a number of bytes or a text, which [`amount`] reads.
//!
//! What is accepted and what is said of all else are the words of `memprof.toml` and of the recorder's settings. An
//! amount is a literal, so that it is known while the program is compiled and a wrong one is an error there; a constant
//! or an expression is refused.

use syn::{Error, Expr, ExprLit, ExprUnary, Lit, LitInt, Result, UnOp};

use crate::amount;

/// The bytes that a literal stands for. An error points at the literal, and says what is wrong with it.
pub(crate) fn bytes(value: &Expr) -> Result<u64> {
    let bytes = match value {
        // What a `macro_rules!` macro puts around what it was given.
        Expr::Group(group) => return bytes(&group.expr),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => of_number(number),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => amount::bytes(&text.value()),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => Err(negative(expr)),
        Expr::Lit(_) => Err(amount::wrong("an amount is a whole number or a string")),
        _ => Err(amount::wrong("an amount is a literal")),
    };
    bytes.map_err(|wrong| Error::new_spanned(value, wrong))
}

fn of_number(number: &LitInt) -> core::result::Result<u64, String> {
    if !number.suffix().is_empty() {
        return Err(amount::wrong(&format!("‘{number}’ is no number of bytes: one with a unit is a string")));
    }
    // Any base, and without the underscores.
    amount::bytes(number.base10_digits())
}

fn negative(of: &Expr) -> String {
    match of {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => amount::wrong(&format!("‘-{number}’ is below 0")),
        _ => amount::wrong("an amount is a literal"),
    }
}

#[cfg(test)]
mod tests {
    use syn::Expr;

    use super::bytes;
    use crate::amount::ACCEPTED;

    fn read(literal: &str) -> Result<u64, String> {
        let literal: Expr = syn::parse_str(literal).expect("an expression");
        bytes(&literal).map_err(|error| error.to_string())
    }

    #[test]
    fn a_text_is_read_as_memprof_reads_it_everywhere() {
        let amounts: &[(&str, Result<u64, &str>)] = include!("../../memprof-report/src/units/table.rs");
        for (text, expected) in amounts {
            let expected = expected.map_err(|what| format!("{what}; accepted: {ACCEPTED}"));
            assert_eq!(read(&format!("{text:?}")), expected, "{text}");
        }
    }

    #[test]
    fn both_copies_of_what_reads_amounts_are_the_same() {
        assert_eq!(include_str!("amount.rs"), include_str!("../../memprof-report/src/units/amount.rs"));
    }

    #[test]
    fn a_number_is_bytes_in_any_base() {
        assert_eq!(read("1_024"), Ok(1_024));
        assert_eq!(read("0x10"), Ok(16));
        for (literal, what) in [
            ("18446744073709551616", "‘18446744073709551616’ is more than 64 bits hold"),
            ("-1", "‘-1’ is below 0"),
            ("24u64", "‘24u64’ is no number of bytes: one with a unit is a string"),
            ("24MB", "‘24MB’ is no number of bytes: one with a unit is a string"),
            ("1.5", "an amount is a whole number or a string"),
            ("true", "an amount is a whole number or a string"),
            ("MOST", "an amount is a literal"),
            ("-MOST", "an amount is a literal"),
        ] {
            assert_eq!(read(literal), Err(format!("{what}; accepted: {ACCEPTED}")), "{literal}");
        }
    }
}
