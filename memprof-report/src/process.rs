//! [`Process`]: which process was measured, and when; [`Resident`]: what the system says that it holds.
//!
//! Both are as the recorder found them. Arguments, environment, user and host name are in neither: they hold secrets.

use std::time::{SystemTime, UNIX_EPOCH};

/// Which process was measured, and when the snapshot was taken. All empty of a profile that does not say it.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Process {
    /// The file name of the executable.
    pub program: String,
    /// The process id.
    pub pid: u32,
    /// When memprof started in it: RFC 3339, UTC, with milliseconds, as `2026-01-31T23:59:59.999Z`.
    pub started: String,
    /// When the snapshot was taken, likewise.
    pub taken: String,
    /// Seconds from one to the other, by a clock that nobody sets.
    pub seconds: f64,
    /// Seconds that its threads ran on processors meanwhile, all together; `None` where the system does not say it.
    #[cfg_attr(feature = "formats", serde(skip_serializing_if = "Option::is_none"))]
    pub processor_seconds: Option<f64>,
    /// The version of memprof that measured.
    pub memprof: String,
    /// `MEMPROF_LABEL`: what tells ranks, workers or variants apart.
    pub label: Option<String>,
}

/// What the system says that the process holds in memory, in bytes, at the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Resident {
    /// Resident now.
    pub now: u64,
    /// The most that was ever resident.
    pub peak: u64,
    /// The smallest limit of a control group that holds for the process; `None` where none does.
    pub limit: Option<u64>,
    /// What counts towards that limit now, of all processes in its control group.
    pub limit_now: Option<u64>,
}

/// A moment as RFC 3339 has it, in UTC, with milliseconds: `2026-01-31T23:59:59.999Z`. What was before 1970 is 1970.
pub fn rfc3339(moment: SystemTime) -> String {
    const SECONDS_A_DAY: u64 = 24 * 60 * 60;
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / SECONDS_A_DAY, since.as_secs() % SECONDS_A_DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of so many days after 1970-01-01, by the Gregorian calendar, whose 400 years are 146,097 days. Years
/// are counted from March, so that the day that some of them have more is their last one.
fn date(days: u64) -> (u64, u64, u64) {
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months have 153 days, over and over.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year + next, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::rfc3339;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_769_903_999_999, "2026-01-31T23:59:59.999Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_four_hundred_years_follows_the_one_before() {
        let mut before = super::date(0);
        for day in 1..146_097 {
            let (year, month, date) = super::date(day);
            let is_next = (year, month, date) == (before.0, before.1, before.2 + 1)
                || date == 1 && (year, month) == (before.0, before.1 + 1)
                || (month, date) == (1, 1) && year == before.0 + 1;
            assert!(is_next, "{before:?} {:?}", (year, month, date));
            before = (year, month, date);
        }
        assert_eq!(super::date(146_097), (2370, 1, 1));
    }
}
