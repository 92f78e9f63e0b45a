//! Numbers as people read them.
//!
//! The same in every language and on every machine: no locale is asked.

use std::fmt::{self, Write as _};

/// `number` with a comma before every third digit from the end.
///
/// ```
/// assert_eq!(memprof_report::thousands(-1_234_567_i64).to_string(), "-1,234,567");
/// ```
pub fn thousands(number: impl Into<i128>) -> Thousands {
    Thousands(number.into())
}

/// A number that is printed with [`thousands`] apart.
#[derive(Debug)]
pub struct Thousands(i128);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let digits = self.0.unsigned_abs().to_string();
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}
