//! Reads the data set as Hugging Face publishes it: a Parquet table with a PNG in each row.

use crate::{Error, Result, data::planes, shapes::commas};
use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, Row},
};
use std::fs::File;

/// Calls `take` for every image of a table, in the order of the binary format: the
/// label and 3 x 32 x 32 bytes in C-H-W order.
///
/// # Errors
/// When the file is not such a table; the message gives the row.
pub(super) fn read(file: File, what: &str, mut take: impl FnMut(u8, &[u8]) -> Result<()>) -> Result<()> {
    let broken = |e: parquet::errors::ParquetError| Error::new(format!("{what} cannot be read: {e}"));
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    for (number, row) in reader.get_row_iter(None).map_err(broken)?.enumerate() {
        let row = row.map_err(broken)?;
        let (label, pixels) = record(&row)
            .map_err(|why| Error::new(format!("{what}, row {}: {why}", commas(number as u64))))?;
        take(label, &pixels)?;
    }
    Ok(())
}

/// The label and the pixels (C-H-W) of a row.
fn record(row: &Row) -> std::result::Result<(u8, Vec<u8>), String> {
    let (mut png, mut label) = (None, None);
    for (name, field) in row.get_column_iter() {
        match (name.as_str(), field) {
            ("img", Field::Group(parts)) => {
                png = parts.get_column_iter().find_map(|(name, part)| match part {
                    Field::Bytes(bytes) if name == "bytes" => Some(bytes),
                    _ => None,
                });
            }
            ("label", &Field::Long(number)) => label = Some(number),
            _ => (),
        }
    }
    let png = png.ok_or("expected a column `img` with the bytes of a PNG, found none")?;
    let label = label.ok_or("expected a column `label` with a whole number, found none")?;
    let label = u8::try_from(label)
        .ok()
        .filter(|&label| label <= 9)
        .ok_or_else(|| format!("expected a label from 0 to 9, got {label}"))?;
    Ok((label, planes(png.data())?))
}
