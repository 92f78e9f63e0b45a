//! [`Medians`]: the numbers of every process in every row, of which the medians are, in a file where they are many.
//!
//! 10,000 processes with 10,000 rows have 1.6 GB of numbers. They are gathered by row, and when [`MOST_NUMBERS`] are held, each
//! row's are written one after another to a temporary file, whose name is gone as soon as it is opened. At the end a row's numbers are the
//! pieces that it has in each part of the file.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    mem,
};

use memprof_report::median;

/// As many as are 64 MiB.
const MOST_NUMBERS: usize = 4 << 20;
/// Of a pair of numbers in the file.
const BYTES: usize = 16;

/// The numbers of all rows so far.
#[derive(Debug, Default)]
pub(crate) struct Medians {
    /// By row, those that are not in the file.
    held: Vec<Vec<(u64, i64)>>,
    /// How many they are in all.
    count: usize,
    spilled: Option<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    /// Of each part, where its rows begin, in pairs of numbers from the start of the file; and where the part ends.
    parts: Vec<Vec<u64>>,
}

impl Medians {
    /// Takes in what one process has in a row.
    pub(crate) fn push(&mut self, row: usize, peak: u64, live: i64) {
        if row >= self.held.len() {
            self.held.resize_with(row + 1, Vec::new);
        }
        self.held[row].push((peak, live));
        self.count += 1;
    }

    /// Writes them to the file where they are many.
    pub(crate) fn spill_if_full(&mut self) -> io::Result<()> {
        if self.count >= MOST_NUMBERS { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled { file: tempfile::tempfile()?, parts: Vec::new() }),
        };
        let mut place = spilled.parts.last().and_then(|part| part.last()).copied().unwrap_or(0);
        let mut out = BufWriter::with_capacity(1 << 20, &mut spilled.file);
        let mut part = Vec::with_capacity(self.held.len() + 1);
        for numbers in &mut self.held {
            part.push(place);
            place += numbers.len() as u64;
            // Its room goes too: the next rows may be others.
            for (peak, live) in mem::take(numbers) {
                out.write_all(&peak.to_le_bytes())?;
                out.write_all(&live.to_le_bytes())?;
            }
        }
        part.push(place);
        out.flush()?;
        drop(out);
        spilled.parts.push(part);
        self.count = 0;
        Ok(())
    }

    /// The medians of a row: of `memory_peak` and of `live`.
    pub(crate) fn of(&mut self, row: usize) -> io::Result<(u64, i64)> {
        let held = self.held.get(row).cloned().unwrap_or_default();
        let (mut peaks, mut lives): (Vec<u64>, Vec<i64>) = held.into_iter().unzip();
        if let Some(Spilled { file, parts }) = &mut self.spilled {
            for part in parts {
                let (Some(start), Some(end)) = (part.get(row), part.get(row + 1)) else { continue };
                let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0) * BYTES];
                file.seek(SeekFrom::Start(start * BYTES as u64))?;
                file.read_exact(&mut bytes)?;
                for pair in bytes.chunks_exact(BYTES) {
                    let (peak, live) = pair.split_at(BYTES / 2);
                    peaks.push(u64::from_le_bytes(peak.try_into().unwrap_or_default()));
                    lives.push(i64::from_le_bytes(live.try_into().unwrap_or_default()));
                }
            }
        }
        Ok((median(&mut peaks), median(&mut lives)))
    }
}

#[cfg(test)]
mod tests {
    use super::Medians;

    /// Row 0 in every process, row 1 in every second, row 2 from the hundredth on: the same whether or not they were written.
    #[test]
    fn medians_are_the_same_from_the_file() {
        let of = |spill_every: i64| {
            let mut medians = Medians::default();
            for process in 0..200_i64 {
                let peak = process.unsigned_abs() * 7_919 % 200;
                medians.push(0, peak, -process);
                if process % 2 == 0 {
                    medians.push(1, u64::MAX - peak, process);
                }
                if process >= 100 {
                    medians.push(2, 5, i64::MIN);
                }
                if process % spill_every == spill_every - 1 {
                    medians.spill().expect("a temporary file");
                }
            }
            [0, 1, 2, 3].map(|row| medians.of(row).expect("it is read"))
        };
        let expected = [(99, -100), (u64::MAX - 100, 98), (5, i64::MIN), (0, 0)];
        for spill_every in [1_000, 200, 100, 33, 1] {
            assert_eq!(of(spill_every), expected, "every {spill_every}");
        }
    }
}
