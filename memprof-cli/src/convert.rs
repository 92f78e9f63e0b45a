//! `memprof convert`: a saved profile in another format.

use memprof_report::Format;

use crate::{
    arguments::ConvertArguments,
    error::Error,
    profile::{check_space, read},
};

/// Writes the file; on stdout is nothing.
pub(crate) fn run(arguments: &ConvertArguments) -> Result<(), Error> {
    let ConvertArguments { file, output, measure, space } = arguments;
    // Before a large profile is read.
    if Format::of(output).is_none() {
        let problem =
            format!("cannot write ‘{}’: its ending names no format; accepted: {}", output.display(), Format::endings());
        return Err(Error::File(problem));
    }
    let snapshot = read(file)?;
    check_space(&snapshot, file, space.as_deref())?;
    let mut report = snapshot.report();
    if let Some(measure) = measure {
        report = report.measure(*measure);
    }
    if let Some(space) = space {
        report = report.space(space);
    }
    report.write_to(output).map_err(|error| Error::File(error.to_string()))
}
