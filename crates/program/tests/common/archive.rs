//! A small data set of 100 kB in the formats of CIFAR-10.

#![allow(dead_code, reason = "each test uses a part of this module")]

use nchw_program::fetch::{PublishedFile, Spec};
use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::writer::SerializedFileWriter,
    schema::parser::parse_message_type,
};
use sha2::{Digest, Sha256};
use std::{io::Write, sync::Arc};

pub const FOLDER: &str = "cifar-10-batches-bin";
pub const PER_FILE: usize = 5;
const RECORD: usize = 3073;

/// All files that can be downloaded or imported.
pub struct Published {
    pub spec: Spec,
    pub files: Vec<(String, Vec<u8>)>,
    pub archive: Vec<u8>,
    pub parquet: [Vec<u8>; 2],
}

pub fn published_file(name: &str, bytes: &[u8]) -> PublishedFile {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    PublishedFile { name: name.into(), bytes: bytes.len() as u64, sha256 }
}

pub fn published() -> Published {
    let names = (1..=5).map(|n| format!("data_batch_{n}.bin")).chain(["test_batch.bin".into()]);
    let mut state = 7_u32;
    // Noise, which compression barely shrinks.
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    let mut file = || -> Vec<u8> {
        (0..PER_FILE * RECORD).map(|at| if at % RECORD == 0 { noise() % 10 } else { noise() }).collect()
    };
    let files: Vec<(String, Vec<u8>)> = names.map(|name| (name, file())).collect();
    let archive = packed(&files);
    let parquet = [&files[..5], &files[5..]].map(table);
    let spec = Spec {
        archive: published_file("cifar-10-binary.tar.gz", &archive),
        files: files.iter().map(|(name, bytes)| published_file(name, bytes)).collect(),
        parquet: [
            published_file("train-00000-of-00001.parquet", &parquet[0]),
            published_file("test-00000-of-00001.parquet", &parquet[1]),
        ],
        per_file: PER_FILE,
    };
    Published { spec, files, archive, parquet }
}

/// The archive of the files, with a readme like the real one.
pub fn packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    folder(&mut tar);
    for (name, bytes) in files {
        entry(&mut tar, &format!("{FOLDER}/{name}"), bytes);
    }
    entry(&mut tar, &format!("{FOLDER}/readme.html"), b"<html>");
    gzip(&tar.into_inner().unwrap())
}

pub fn folder(tar: &mut tar::Builder<Vec<u8>>) {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    tar.append_data(&mut header, format!("{FOLDER}/"), &[][..]).unwrap();
}

pub fn entry(tar: &mut tar::Builder<Vec<u8>>, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    // Written directly into the header, since `append_data` would refuse an invalid path.
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// The records as Hugging Face publishes them: a PNG and a label in each row.
pub fn table(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let records = || files.iter().flat_map(|(_, bytes)| bytes.chunks_exact(RECORD));
    let pngs: Vec<ByteArray> = records().map(|record| png(&record[1..]).into()).collect();
    let labels: Vec<i64> = records().map(|record| i64::from(record[0])).collect();
    rows(&pngs, &labels)
}

pub fn rows(pngs: &[ByteArray], labels: &[i64]) -> Vec<u8> {
    let columns = "message schema {
        optional group img { optional binary bytes; optional binary path (UTF8); }
        optional int64 label;
    }";
    let schema = Arc::new(parse_message_type(columns).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let count = pngs.len();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(pngs, Some(&vec![2; count]), None).unwrap();
    column.close().unwrap();
    // The path of every image is null.
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![1; count]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(labels, Some(&vec![1; count]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

/// 3 x 32 x 32 bytes as a PNG.
pub fn png(planes: &[u8]) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(32, 32, |x, y| {
        image::Rgb([0, 1, 2].map(|channel| planes[channel * 1024 + y as usize * 32 + x as usize]))
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
