//! `Logging`: RMM's CSV, to the letter.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use memprof_cuda::resource::{CudaMemory, DeviceMemory, Limiting, Logging};

use super::Outcome;
use super::resource::{device, free, skipped};

const HEADER: &str = "Thread,Time,Action,Pointer,Size,Stream";

/// A sink that tests can read.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fields of a row that are the same every time.
fn action_pointer_bytes_stream(row: &str) -> Option<String> {
    row.splitn(3, ',').nth(2).map(str::to_owned)
}

#[test]
fn every_event_is_a_row() -> Outcome {
    let device = device()?;
    let text = Text::default();
    let resource = Logging::to_writer(Limiting::new(CudaMemory, 1 << 20), text.clone());
    let per_thread = device.context.per_thread_stream();
    let one = resource.allocate(100, &device.stream)?;
    let two = resource.allocate(42, &per_thread)?;
    free(&resource, one, 100, &device.stream)?;
    assert!(resource.allocate(1 << 40, &device.stream).is_err());
    free(&resource, two, 42, &per_thread)?;
    let nothing = resource.allocate(0, &device.stream)?;
    free(&resource, nothing, 0, &device.stream)?;
    let lines = text.lines();
    assert_eq!(lines.first().map(String::as_str), Some(HEADER));
    let rows: Vec<_> = lines.iter().skip(1).filter_map(|row| action_pointer_bytes_stream(row)).collect();
    let expected = [
        format!("allocate,{one:#x},100,0"),
        format!("allocate,{two:#x},42,0x2"),
        format!("free,{one:#x},100,0"),
        "allocate failure,(nil),1099511627776,0".to_owned(),
        format!("free,{two:#x},42,0x2"),
        "allocate,(nil),0,0".to_owned(),
        "free,(nil),0,0".to_owned(),
    ];
    assert_eq!(rows, expected);
    Ok(())
}

#[test]
fn a_row_begins_with_the_system_s_thread_and_the_time_of_day() -> Outcome {
    let device = device()?;
    let text = Text::default();
    let resource = Logging::to_writer(CudaMemory, text.clone());
    let pointer = resource.allocate(100, &device.stream)?;
    free(&resource, pointer, 100, &device.stream)?;
    let rows = text.lines();
    let times: Vec<&str> = rows.iter().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    for (row, time) in rows.iter().skip(1).zip(&times) {
        let thread = row.split(',').next().ok_or("no thread")?;
        #[cfg(target_os = "linux")]
        assert!(std::path::Path::new(&format!("/proc/self/task/{thread}")).exists(), "{thread}");
        assert!(thread.parse::<u64>().is_ok(), "{thread}");
        let shape: String =
            time.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
        assert_eq!(shape, "00:00:00.000000");
        assert!(*time < "24", "{time}");
    }
    assert_eq!(times.len(), 2);
    Ok(())
}

#[test]
fn each_of_two_sinks_gets_every_row() -> Outcome {
    let device = device()?;
    let [one, two] = [Text::default(), Text::default()];
    let resource = Logging::to_writers(CudaMemory, vec![Box::new(one.clone()), Box::new(two.clone())]);
    let pointer = resource.allocate(99, &device.stream)?;
    free(&resource, pointer, 99, &device.stream)?;
    assert_eq!(one.lines().len(), 3);
    assert_eq!(one.lines(), two.lines());
    Ok(())
}

#[test]
fn a_file_holds_the_rows_when_it_is_flushed_and_when_it_is_dropped() -> Outcome {
    let device = device()?;
    let name = std::env::temp_dir().join(format!("memprof_resource_log_{}.csv", std::process::id()));
    let lines = || std::fs::read_to_string(&name).map(|text| text.lines().count());
    std::fs::write(&name, "what was there before\n")?;
    let resource = Logging::to_file(CudaMemory, &name)?;
    assert_eq!(resource.file_name(), Some(name.as_path()));
    let pointer = resource.allocate(100, &device.stream)?;
    assert_eq!(lines()?, 0, "buffered");
    resource.flush()?;
    assert_eq!(lines()?, 2);
    free(&resource, pointer, 100, &device.stream)?;
    drop(resource);
    assert_eq!(lines()?, 3);

    let resource = Logging::to_file(CudaMemory, &name)?.auto_flush();
    assert_eq!(lines()?, 1, "the old rows are replaced");
    let pointer = resource.allocate(100, &device.stream)?;
    assert_eq!(lines()?, 2, "at once");
    free(&resource, pointer, 100, &device.stream)?;
    drop(resource);
    std::fs::remove_file(&name)?;
    Ok(())
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_that_names_it() {
    let error = Logging::to_file(CudaMemory, "/nowhere/log.csv").err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.starts_with("cannot create the log /nowhere/log.csv: ")));
}

#[test]
fn without_rmm_log_file_there_is_no_file() {
    // No test of this binary sets the variable, and whoever runs them may have.
    if std::env::var_os("RMM_LOG_FILE").is_some() {
        skipped("RMM_LOG_FILE is set");
        return;
    }
    let error = Logging::to_env_file(CudaMemory).err().map(|error| error.to_string());
    let expected = "RMM logging requested without an explicit file name, but RMM_LOG_FILE is unset";
    assert_eq!(error.as_deref(), Some(expected));
}

#[test]
fn rmm_log_file_names_the_file() -> Outcome {
    const CHILD: &str = "logging::rmm_log_file_names_the_file";
    if std::env::var_os("RMM_LOG_FILE").is_some_and(|name| name.to_string_lossy().contains("memprof_rmm_log_file")) {
        let resource = Logging::to_env_file(CudaMemory)?;
        return Ok(resource.flush()?);
    }
    let name = std::env::temp_dir().join(format!("memprof_rmm_log_file_{}.csv", std::process::id()));
    let mut child = std::process::Command::new(std::env::current_exe()?);
    let outcome = child.args(["--exact", CHILD]).env("RMM_LOG_FILE", &name).output()?;
    assert!(outcome.status.success());
    assert_eq!(std::fs::read_to_string(&name)?, format!("{HEADER}\n"));
    std::fs::remove_file(&name)?;
    Ok(())
}

#[test]
fn the_standard_streams_begin_with_the_header() -> Outcome {
    const TEST: &str = "logging::the_standard_streams_begin_with_the_header";
    const CHILD: &str = "LOGGING_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        drop(Logging::to_writer(CudaMemory, io::stdout()));
        drop(Logging::to_writer(CudaMemory, io::stderr()));
        return Ok(());
    }
    let mut child = std::process::Command::new(std::env::current_exe()?);
    let output = child.args(["--exact", TEST, "--nocapture"]).env(CHILD, "1").output()?;
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr)?, format!("{HEADER}\n"));
    // The test's own lines are around it.
    assert!(String::from_utf8(output.stdout)?.contains(&format!("{HEADER}\n")));
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_fails_no_allocation() -> Outcome {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let device = device()?;
    let resource = Logging::to_writer(CudaMemory, Full);
    let pointer = resource.allocate(100, &device.stream)?;
    free(&resource, pointer, 100, &device.stream)?;
    let error = resource.flush().err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.starts_with("cannot write the log: ")));
    assert!(resource.flush().is_ok(), "it was said");
    Ok(())
}

#[test]
fn rows_of_four_threads_are_whole_and_in_the_order_of_their_times() -> Outcome {
    let device = device()?;
    let text = Text::default();
    let resource = Logging::to_writer(CudaMemory, text.clone());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let pointer = resource.allocate(1000, &device.stream);
                    let _ = pointer.map(|pointer| free(&resource, pointer, 1000, &device.stream));
                }
            });
        }
    });
    let lines = text.lines();
    assert_eq!(lines.len(), 1 + 4 * 50 * 2);
    assert!(lines.iter().all(|line| line.split(',').count() == 6));
    let times: Vec<_> = lines.iter().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    let midnight =
        times.iter().any(|time| time.starts_with("00:00:0")) && times.iter().any(|time| time.starts_with("23:"));
    assert!(times.is_sorted() || midnight);
    Ok(())
}
