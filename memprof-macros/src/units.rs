//! Amounts of memory as `#[limit]` takes them: `"24 MiB"`, or a whole number of bytes.

use syn::{Error, Expr, ExprLit, ExprUnary, Lit, Result, UnOp};

/// What is accepted, for every message about an amount.
const ACCEPTED: &str = "a whole number of bytes, or a string of one and its unit: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, as in \"24 MiB\"";

const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// The bytes that a literal stands for. An error points at the literal, and says what is wrong with it.
pub(crate) fn bytes(value: &Expr) -> Result<u64> {
    let wrong = |what: &str| Error::new_spanned(value, format!("{what}; accepted: {ACCEPTED}"));
    match value {
        // What a `macro_rules!` macro puts around what it was given.
        Expr::Group(group) => bytes(&group.expr),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if !number.suffix().is_empty() => {
            Err(wrong(&format!("`{}` is no unit of memory here", number.suffix())))
        }
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            number.base10_parse().map_err(|_| wrong("more bytes than 64 bits hold"))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => of_text(&text.value()).map_err(|what| wrong(&what)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }) => Err(wrong("an amount is 0 or more")),
        _ => Err(wrong("an amount is a literal")),
    }
}

/// What is wrong is said of the text.
fn of_text(text: &str) -> core::result::Result<u64, String> {
    let trimmed = text.trim();
    let (number, unit) = trimmed.split_at(trimmed.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(trimmed.len()));
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err(format!("`{text}` does not begin with a whole number"));
    }
    if unit.starts_with(['.', ',', '_']) {
        return Err(format!("`{text}` is not a whole number and a unit"));
    }
    let (_, factor) = if unit.is_empty() {
        &("B", 1)
    } else {
        UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| unknown(unit))?
    };
    let number: Option<u64> = number.parse().ok();
    number.and_then(|number| number.checked_mul(*factor)).ok_or_else(|| "more bytes than 64 bits hold".to_owned())
}

fn unknown(unit: &str) -> String {
    let meant = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let meant = meant.map(|(name, _)| format!(", `{name}` is")).unwrap_or_default();
    format!("`{unit}` is no unit of memory here{meant}")
}

#[cfg(test)]
mod tests {
    use super::of_text;

    #[test]
    fn an_amount_is_a_number_and_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17 B", 17),
            ("1kB", 1000),
            ("2 MB", 2_000_000),
            ("3 GB", 3_000_000_000),
            ("1 TB", 1_000_000_000_000),
            ("1KiB", 1024),
            ("24 MiB", 25_165_824),
            ("1  GiB", 1 << 30),
            (" 16777215 TiB ", 16_777_215 << 40),
        ] {
            assert_eq!(of_text(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_said_to_be_wrong() {
        for (text, what) in [
            ("", "`` does not begin with a whole number"),
            ("MiB", "`MiB` does not begin with a whole number"),
            ("-1 B", "`-1 B` does not begin with a whole number"),
            ("1.5 MiB", "`1.5 MiB` is not a whole number and a unit"),
            ("1_000", "`1_000` is not a whole number and a unit"),
            ("1 mb", "`mb` is no unit of memory here, `MB` is"),
            ("1 KB", "`KB` is no unit of memory here, `kB` is"),
            ("1 M", "`M` is no unit of memory here"),
            ("1 MiB/s", "`MiB/s` is no unit of memory here"),
            ("16777216 TiB", "more bytes than 64 bits hold"),
            ("18446744073709551616", "more bytes than 64 bits hold"),
        ] {
            assert_eq!(of_text(text), Err(what.to_owned()), "{text}");
        }
    }
}
