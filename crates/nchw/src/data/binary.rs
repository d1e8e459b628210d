//! CIFAR-10's binary format: bytes in, pixels and labels out.
//!
//! A record is one byte for the label, then 32 x 32 bytes of red, as many of
//! green and of blue, each row after row from the top: C-H-W already, so the
//! pixels are taken over as they stand.
//!
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version".

use crate::{Error, Result, shapes::commas};

/// Rows and columns of a picture.
pub(crate) const SIDE: usize = 32;
/// Bytes of one picture: channels, rows, columns.
pub(crate) const PIXELS: usize = 3 * SIDE * SIDE;
/// Bytes of one record: the label, then the picture.
pub(crate) const RECORD: usize = 1 + PIXELS;

/// What a file in CIFAR-10's binary format holds: pictures one after another,
/// each as C-H-W, and a label for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// N x 3 x 32 x 32 bytes.
    pub pixels: Vec<u8>,
    /// N numbers from 0 to 9.
    pub labels: Vec<u8>,
}

impl Records {
    /// Appends another file's pictures.
    pub(crate) fn append(&mut self, mut more: Records) {
        self.pixels.append(&mut more.pixels);
        self.labels.append(&mut more.labels);
    }
}

/// Takes the bytes of a file apart; `what` names it in errors.
///
/// # Shapes
/// N records of 3,073 bytes → `pixels` N x 3 x 32 x 32, `labels` N
///
/// # Errors
/// When there is no record, the last one is cut off, or a label is above 9; the
/// message gives the record and the byte, both counted from 0.
pub fn read_records(bytes: &[u8], what: &str) -> Result<Records> {
    let (whole, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
    if bytes.is_empty() || rest != 0 {
        return Err(Error::new(wrong_size(bytes, what)));
    }
    let mut records =
        Records { pixels: Vec::with_capacity(whole * PIXELS), labels: Vec::with_capacity(whole) };
    for (number, record) in bytes.chunks_exact(RECORD).enumerate() {
        if record[0] > 9 {
            return Err(Error::new(format!(
                "{what}: record {} (of {}), byte {}: expected a label from 0 to 9, got {}. \
                 Either the file is damaged, or it is none of CIFAR-10's binary files{}",
                commas(number as u64),
                commas(whole as u64),
                commas((number * RECORD) as u64),
                record[0],
                other_kind(bytes)
            )));
        }
        records.labels.push(record[0]);
        records.pixels.extend_from_slice(&record[1..]);
    }
    Ok(records)
}

fn wrong_size(bytes: &[u8], what: &str) -> String {
    if bytes.is_empty() {
        return format!("{what}: expected records of {} bytes, and the file is empty", commas(RECORD as u64));
    }
    let (whole, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
    format!(
        "{what}: expected records of {} bytes (1 for the label, 3 x 32 x 32 for the picture), got {} bytes: \
         record {}, which begins at byte {}, has {rest} of its {RECORD}. Either the file was cut off on its way, \
         or it is none of CIFAR-10's binary files{}",
        commas(RECORD as u64),
        commas(bytes.len() as u64),
        commas(whole as u64),
        commas((whole * RECORD) as u64),
        other_kind(bytes)
    )
}

/// What else the file seems to be, and what to do then.
fn other_kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x1f, 0x8b, ..] => ": it is packed (gzip); `nchw data import FILE` unpacks the archive",
        [b'P', b'A', b'R', b'1', ..] => {
            ": it is a Parquet file; `nchw data import FOLDER` takes the two of them"
        }
        [0x80, 2..=5, ..] => ": it looks like the Python version; the binary version is needed",
        [b'<', ..] => ": it is a web page, saved under the data's name",
        // Two labels a picture, the coarse one and the fine one.
        _ if bytes.len().is_multiple_of(RECORD + 1) && !bytes.is_empty() => {
            ": records of 3,074 bytes are CIFAR-100's, which has two labels a picture"
        }
        _ => "",
    }
}
