//! Writing results for people and for programs.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    time::Duration,
};

use serde::Serialize;

use super::failure::{Blame, Failure, Outcome};

/// Said wherever development keys are used.
pub const INSECURE_SETUP: &str =
    "development set-up: INSECURE, its secret is public, so anybody can forge proofs; for local chains only";

/// Writes a line to standard output. A reader that has gone away is no failure.
pub fn line(text: impl AsRef<str>) -> Outcome {
    match writeln!(io::stdout().lock(), "{}", text.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.or_work("standard output"),
    }
}

/// Writes a value as JSON to standard output.
pub fn json(value: &impl Serialize) -> Outcome {
    line(serde_json::to_string_pretty(value).map_err(Failure::work)?)
}

/// Columns of text under their headings, each as wide as it has to be.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&headings.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string can't fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Bytes in hex with the prefix `0x`.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// An amount of bytes for people.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{count} {name}") } else { format!("{value:.1} {name}") }
}

/// A time for people.
pub fn seconds(seconds: f64) -> String {
    if seconds >= 120.0 {
        format!("{} min {:.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    } else if seconds >= 10.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.2} s")
    }
}

/// A time in seconds with milliseconds.
pub fn rounded(duration: Duration) -> f64 {
    to_milliseconds(duration.as_secs_f64())
}

/// Seconds with milliseconds.
pub fn to_milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// An integer with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_for_people() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(seconds(125.0), "2 min 5 s");
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [["1".to_owned(), "long".to_owned()], ["22".to_owned(), "x".to_owned()]];
        assert_eq!(table(["a", "b"], &rows), "a   b\n1   long\n22  x\n");
    }
}
