//! What was measured, as plain values: one [`Record`] per site and space, one [`PathRecord`] per path and
//! space, one [`Totals`] per space.
//!
//! The fields of a record are listed once, in `record_fields!`. From that list come both structs and
//! [`Field`], the names by which reports order and show them.

use std::cmp::Ordering;

#[cfg(test)]
mod tests;

/// Writes [`Record`], [`PathRecord`] and [`Field`] from one list of fields.
///
/// Input: per field its docs, the variant of `Field`, name, type, and what the report's legend says of it.
///
/// ```text
/// /// Greatest `peak` of any activation.
/// MemoryPeak memory_peak: u64, "peak memory allocated in function or code block (in bytes)";
/// ```
///
/// Output: `pub memory_peak: u64` in both structs, `Field::MemoryPeak` with its name and meaning, and
/// `Field::MemoryPeak.cell(&record)`, which is `Cell::from(&record.memory_peak)`.
macro_rules! record_fields {
    (
        $($(#[$doc:meta])+ $variant:ident $field:ident: $type:ty, $meaning:literal;)+
        since schema version 2:
        $($(#[$new_doc:meta])+ $new_variant:ident $new_field:ident: $new_type:ty, $new_meaning:literal;)+
    ) => {
        /// What was measured of one site in one space.
        ///
        /// All activations of the site are summed up here, on whatever path they were entered. Bytes are
        /// those that the program asked for. memprof's own memory is in no number.
        #[non_exhaustive]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
        pub struct Record {
            $($(#[$doc])+ pub $field: $type,)+
            $($(#[$new_doc])+ #[cfg_attr(feature = "formats", serde(default))] pub $new_field: $new_type,)+
        }

        /// What was measured of one path in one space: a node of the call tree.
        ///
        /// A path is the sites that were open, outermost first; its record is about the innermost one. The
        /// fields are [`Record`]'s.
        #[non_exhaustive]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
        pub struct PathRecord {
            $($(#[$doc])+ pub $field: $type,)+
            $($(#[$new_doc])+ #[cfg_attr(feature = "formats", serde(default))] pub $new_field: $new_type,)+
            /// The path around this one, as an index into the same slice and lower than this record's own;
            /// `None` at the root.
            pub parent: Option<usize>,
        }

        impl PathRecord {
            /// The node of `record`'s innermost site, below `parent`.
            #[doc(hidden)]
            pub fn new(record: Record, parent: Option<usize>) -> PathRecord {
                PathRecord { $($field: record.$field,)+ $($new_field: record.$new_field,)+ parent }
            }
        }

        /// One field of a [`Record`]: what a report is ordered by, or shows in a column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Field {
            $($(#[$doc])+ $variant,)+
            $($(#[$new_doc])+ $new_variant,)+
        }

        impl Field {
            /// Every field, in the order of the struct.
            pub const ALL: &[Field] = &[$(Field::$variant,)+ $(Field::$new_variant),+];

            /// The field's own name in [`Record`].
            pub fn name(self) -> &'static str {
                match self { $(Field::$variant => stringify!($field),)+ $(Field::$new_variant => stringify!($new_field),)+ }
            }

            /// What the legend of a report says of it.
            pub fn meaning(self) -> &'static str {
                match self { $(Field::$variant => $meaning,)+ $(Field::$new_variant => $new_meaning,)+ }
            }

            /// This field's value in `record`.
            pub fn cell(self, record: &Record) -> Cell<'_> {
                match self {
                    $(Field::$variant => Cell::from(&record.$field),)+
                    $(Field::$new_variant => Cell::from(&record.$new_field),)+
                }
            }

            /// This field's value in the record of `path`.
            pub fn cell_of_path(self, path: &PathRecord) -> Cell<'_> {
                match self {
                    $(Field::$variant => Cell::from(&path.$field),)+
                    $(Field::$new_variant => Cell::from(&path.$new_field),)+
                }
            }
        }
    };
}

record_fields! {
    /// `file:line(function)`, or the run-time name.
    Name name: String, "where it is in the source, or its run-time name";
    /// The source file, as `file!()` gives it for the user's own code.
    File file: String, "source file";
    /// The line of the `fn` keyword, or of the macro call.
    Line line: u32, "line in the source file";
    /// `Type::method`, `<Type as Trait>::method`, `function`, or the name given.
    Function function: String, "name of function or code block";
    /// Activations left, and those open at the snapshot, whichever spaces they touched.
    Ncalls ncalls: u64, "number of times the function or code block was called";
    /// The greatest peak of any activation, in bytes: growth above its entry, children included.
    MemoryPeak memory_peak: u64, "peak memory allocated in function or code block (in bytes)";
    /// Bytes ever allocated in all activations, children included. Recursion is not counted twice.
    MemoryTotal memory_total: u64, "total memory allocated in function or code block (in bytes)";
    /// Blocks ever allocated in all activations, children included. Recursion is not counted twice.
    BlocksTotal blocks_total: u64, "total blocks allocated in function or code block";
    /// Bytes ever allocated by this one itself, without its children: additive.
    SelfTotal self_total: u64, "total memory allocated by function or code block itself, without its children (in bytes)";
    /// Blocks ever allocated by this one itself, without its children: additive.
    SelfBlocks self_blocks: u64, "total blocks allocated by function or code block itself, without its children";
    /// Reallocations in all activations, children included.
    Reallocs reallocs: u64, "number of reallocations in function or code block";
    /// Allocations and reallocations that failed upstream, children included.
    Failed failed: u64, "number of allocations and reallocations in function or code block that failed";
    /// Bytes that this one owns and that are live at the snapshot, without its children's: what leaks
    /// show in. Additive.
    Live live: i64, "live memory that function or code block itself allocated (in bytes)";
    /// Blocks that this one owns and that are live at the snapshot, without its children's: additive.
    LiveBlocks live_blocks: i64, "live blocks that function or code block itself allocated";
    /// Bytes that this one owned when its space was at its high-water mark, without its children's: additive.
    AtPeak at_peak: u64, "memory of function or code block itself at the space's high-water mark (in bytes)";
    /// Blocks that this one owned when its space was at its high-water mark, without its children's: additive.
    AtPeakBlocks at_peak_blocks: u64, "blocks of function or code block itself at the space's high-water mark";
    /// Blocks of this one freed by the allocating thread before its next allocation.
    Temporary temporary: u64, "blocks freed by the allocating thread before its next allocation";
    /// The largest single block, in bytes, children included.
    Largest largest: u64, "largest single block allocated in function or code block (in bytes)";
    since schema version 2:
    /// What activations left behind, those open at the snapshot as if they ended, in bytes: what each had allocated,
    /// children included, and not freed, less older memory that it freed. Recursion is not counted twice. `kept / ncalls`
    /// is growth per call. Not additive over the tree.
    Kept kept: i64, "memory that calls left behind when they ended (in bytes)";
    /// How many activations left more than 0 bytes behind. A leak in a loop has it near `ncalls`.
    KeptCalls kept_calls: u64, "number of calls that left memory behind";
}

impl Field {
    /// The field of this name. `peak` and `total` are short for `memory_peak` and `memory_total`, and the name's own column
    /// title `filename:lineno(function)` is one too.
    pub fn parse(name: &str) -> Option<Field> {
        let mut fields = Field::ALL.iter().copied();
        match name {
            "peak" => Some(Field::MemoryPeak),
            "total" => Some(Field::MemoryTotal),
            name => fields.find(|field| field.name() == name || field.title() == name),
        }
    }

    /// What stands above the field's column in a report for people.
    pub fn title(self) -> &'static str {
        match self {
            Field::Name => "filename:lineno(function)",
            field => field.name(),
        }
    }
}

/// What was measured of one space, in the whole process.
///
/// The blocks allocated outside any scope are in every number; `no_scope_live`, `no_scope_total` and
/// `no_scope_at_peak` are their part of it.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
pub struct Totals {
    /// Bytes live at the snapshot.
    pub live: i64,
    /// Blocks live at the snapshot.
    pub live_blocks: i64,
    /// The high-water mark in bytes; of two equal marks, the later. In `host` it is exact to 64 KiB per
    /// running thread, and exact while only one thread ever allocated.
    pub peak: u64,
    /// Blocks live at the high-water mark.
    pub peak_blocks: u64,
    /// Of a profile that was merged, the sum of the processes' high-water marks; `peak` is the greatest of them. Else 0.
    #[cfg_attr(feature = "formats", serde(default, skip_serializing_if = "is_zero"))]
    pub peak_sum: u64,
    /// The level, in bytes, to which the records' `at_peak` and `no_scope_at_peak` sum exactly. It is `peak`
    /// in every space but `host`, whose picture is taken at most once per rise of 1/256.
    pub at_peak_level: u64,
    /// Bytes ever allocated.
    pub total: u64,
    /// Blocks ever allocated.
    pub blocks_total: u64,
    /// Allocations and reallocations that failed upstream.
    pub failed: u64,
    /// Frees of blocks that memprof did not know.
    pub unknown_frees: u64,
    /// Blocks that were still live when their address was allocated again.
    pub missed_frees: u64,
    /// The part of `live` allocated outside any scope.
    pub no_scope_live: i64,
    /// The part of `total` allocated outside any scope.
    pub no_scope_total: u64,
    /// The part of `at_peak_level` allocated outside any scope.
    pub no_scope_at_peak: u64,
    /// The part of `live_blocks` allocated outside any scope.
    #[cfg_attr(feature = "formats", serde(default))]
    pub no_scope_live_blocks: i64,
    /// The part of `blocks_total` allocated outside any scope.
    #[cfg_attr(feature = "formats", serde(default))]
    pub no_scope_blocks: u64,
    /// Blocks allocated outside any scope that were live in the picture that `at_peak_level` is of.
    #[cfg_attr(feature = "formats", serde(default))]
    pub no_scope_at_peak_blocks: u64,
    /// Threads of which each may have held up to 64 KiB that `peak` lacks; 0 where `peak` is exact.
    #[cfg_attr(feature = "formats", serde(default))]
    pub peak_threads: u64,
}

#[cfg(feature = "formats")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The value of one [`Field`] in one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Bytes, blocks or calls.
    Amount(i128),
    /// A line in a source file: a place, not an amount.
    Line(u32),
    /// A file, a function or a name.
    Text(&'a str),
}

impl Cell<'_> {
    /// The place of this cell beside another one of the same field, in a report ordered by that field:
    /// amounts greatest first, all else ascending.
    pub fn rank(&self, other: &Cell<'_>) -> Ordering {
        match (self, other) {
            (Cell::Amount(a), Cell::Amount(b)) => b.cmp(a),
            (Cell::Line(a), Cell::Line(b)) => a.cmp(b),
            (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

impl From<&u64> for Cell<'_> {
    fn from(amount: &u64) -> Self {
        Cell::Amount(i128::from(*amount))
    }
}

impl From<&i64> for Cell<'_> {
    fn from(amount: &i64) -> Self {
        Cell::Amount(i128::from(*amount))
    }
}

impl From<&u32> for Cell<'_> {
    fn from(line: &u32) -> Self {
        Cell::Line(*line)
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Cell::Text(text)
    }
}
