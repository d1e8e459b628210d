//! Reads CIFAR-10's binary format into pixels and labels.
//!
//! A record is one byte for the label, then 32 x 32 bytes each of red, green and
//! blue, row by row from the top. This is C-H-W order already, so the pixels are
//! copied unchanged.
//!
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version".

use crate::{Error, Result, shapes::commas};

/// Rows and columns of an image.
pub(crate) const SIDE: usize = 32;
/// Bytes of one image: channels, rows, columns.
pub(crate) const PIXELS: usize = 3 * SIDE * SIDE;
/// Bytes of one record: the label, then the image.
pub const RECORD: usize = 1 + PIXELS;

/// The content of a file in CIFAR-10's binary format: images in C-H-W order, and
/// a label for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// N x 3 x 32 x 32 bytes.
    pub pixels: Vec<u8>,
    /// N numbers from 0 to 9.
    pub labels: Vec<u8>,
}

impl Records {
    /// Appends the images of another file.
    pub(crate) fn append(&mut self, mut more: Records) {
        self.pixels.append(&mut more.pixels);
        self.labels.append(&mut more.labels);
    }
}

/// Parses the bytes of a file; error messages call the file `what`.
///
/// # Shapes
/// N records of 3,073 bytes → `pixels` N x 3 x 32 x 32, `labels` N
///
/// # Errors
/// When there is no record, the last record is incomplete, or a label is above 9;
/// the message gives the record and the byte, both counted from 0.
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
                 Either the file is damaged, or it is not in CIFAR-10's binary format{}",
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
        return format!("{what}: expected records of {} bytes, but the file is empty", commas(RECORD as u64));
    }
    let (whole, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
    format!(
        "{what}: expected records of {} bytes (1 for the label, 3 x 32 x 32 for the image), got {} bytes: \
         record {}, which begins at byte {}, has {rest} of its {RECORD}. Either the file was not copied completely, \
         or it is not in CIFAR-10's binary format{}",
        commas(RECORD as u64),
        commas(bytes.len() as u64),
        commas(whole as u64),
        commas((whole * RECORD) as u64),
        other_kind(bytes)
    )
}

/// What the file appears to be instead, and what to do.
fn other_kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x1f, 0x8b, ..] => ": it is compressed (gzip); `nchw data import FILE` unpacks the archive",
        [b'P', b'A', b'R', b'1', ..] => {
            ": it is a Parquet file; `nchw data import FOLDER` imports a folder with both Parquet files"
        }
        [0x80, 2..=5, ..] => ": it looks like the Python version; the binary version is needed",
        [b'<', ..] => ": it is a web page that was saved under the name of the data",
        // CIFAR-100 has a coarse and a fine label for each image.
        _ if bytes.len().is_multiple_of(RECORD + 1) && !bytes.is_empty() => {
            ": records of 3,074 bytes are those of CIFAR-100, which has two labels per image"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An image with a different number in each corner of each channel.
    fn corners(label: u8) -> (Vec<u8>, [[u8; 4]; 3]) {
        let mut record = vec![0; RECORD];
        record[0] = label;
        let mut numbers = [[0; 4]; 3];
        for (channel, numbers) in numbers.iter_mut().enumerate() {
            let positions = [(0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)];
            for (corner, (row, column)) in positions.into_iter().enumerate() {
                numbers[corner] = (10 + 70 * channel + 13 * corner) as u8;
                record[1 + channel * SIDE * SIDE + row * SIDE + column] = numbers[corner];
            }
        }
        (record, numbers)
    }

    #[test]
    fn every_corner_of_every_channel_is_at_its_position() {
        let (first, numbers) = corners(3);
        let bytes = [first, corners(9).0].concat();
        let examples = crate::data::Examples::from_records(&read_records(&bytes, "two").unwrap()).unwrap();
        assert_eq!(examples.images.size(), [2, 3, 32, 32]);
        let at = |position: [i64; 4]| examples.images.int64_value(&position);
        for (channel, [top_left, top_right, bottom_left, bottom_right]) in numbers.into_iter().enumerate() {
            let channel = channel as i64;
            assert_eq!(at([0, channel, 0, 0]), i64::from(top_left));
            assert_eq!(at([0, channel, 0, 31]), i64::from(top_right), "first row, last column");
            assert_eq!(at([0, channel, 31, 0]), i64::from(bottom_left), "last row, first column");
            assert_eq!(at([1, channel, 31, 31]), i64::from(bottom_right));
        }
        assert_eq!(Vec::<i64>::try_from(&examples.labels).unwrap(), [3, 9]);
    }

    #[test]
    fn errors_name_the_record_and_the_byte() {
        let fails = |bytes: &[u8], words: &[&str]| {
            let error = read_records(bytes, "data_batch_3.bin").unwrap_err().to_string();
            assert!(error.starts_with("data_batch_3.bin: "), "{error}");
            words.iter().for_each(|word| assert!(error.contains(word), "expected `{word}` in: {error}"));
        };
        let mut bytes = vec![7; 3 * RECORD];
        fails(&bytes[..2 * RECORD + 5], &["record 2, which begins at byte 6,146, has 5 of its 3073"]);
        bytes[2 * RECORD] = 10;
        fails(&bytes, &["record 2 (of 3), byte 6,146: expected a label from 0 to 9, got 10"]);
        fails(&[], &["the file is empty"]);
        fails(&[0; 3074 * 2], &["CIFAR-100, which has two labels"]);
        fails(&[0x1f, 0x8b, 0, 0], &["it is compressed (gzip)", "nchw data import"]);
        fails(b"PAR1....", &["a Parquet file"]);
        fails(&[0x80, 2, 0], &["the Python version"]);
        fails(b"<!doctype html>", &["a web page"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn reading_returns_what_was_written(labels in prop::collection::vec(0..10u8, 1..8), salt: u8) {
            let image = |n: usize| (0..PIXELS).map(move |at| (at as u8).wrapping_mul(31).wrapping_add(n as u8) ^ salt);
            let file: Vec<u8> = labels.iter().enumerate()
                .flat_map(|(n, &label)| std::iter::once(label).chain(image(n))).collect();
            let records = read_records(&file, "file").unwrap();
            prop_assert_eq!(&records.labels, &labels);
            prop_assert_eq!(records.pixels, (0..labels.len()).flat_map(image).collect::<Vec<u8>>());
        }

        #[test]
        fn a_label_above_9_is_found_in_any_record(count in 1..8usize, which: prop::sample::Index, label in 10..=255u8) {
            let mut file = vec![5; count * RECORD];
            let wrong = which.index(count);
            file[wrong * RECORD] = label;
            let error = read_records(&file, "file").unwrap_err().to_string();
            let position = format!("record {wrong} (of {count}), byte {}: ", commas((wrong * RECORD) as u64));
            prop_assert!(error.contains(&position) && error.contains(&format!("got {label}")), "{}", error);
        }

        #[test]
        fn an_incomplete_record_is_refused(count in 1..5usize, cut in 1..RECORD) {
            let error = read_records(&vec![0; count * RECORD - cut], "file").unwrap_err().to_string();
            prop_assert!(error.contains(&format!("has {} of its 3073", RECORD - cut)), "{}", error);
        }
    }
}
