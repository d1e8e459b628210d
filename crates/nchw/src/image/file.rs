//! Image files: which format a file has, and whether it is complete.

use image::ImageError;
use std::{io::ErrorKind, path::Path};

/// Advice for formats that cannot be read.
const HEIC: &str = "it is a HEIC photo, as iPhones take them. Export it as JPEG; for new photos choose Settings > \
    Camera > Formats > Most Compatible on the iPhone";
const AVIF: &str = "it is an AVIF image: open it in a browser or an image viewer and save it as PNG or JPEG";
const JPEG_XL: &str = "it is a JPEG XL image: open it in an image viewer and save it as PNG or JPEG";
const TIFF: &str = "it is a TIFF image: open it in an image viewer and save it as PNG or JPEG";
const RAW: &str = "it is a camera's RAW file: export it as JPEG with the camera's software or a photo editor";
const PDF: &str = "it is a PDF document: export the page as PNG, or take a screenshot of the image";
const SVG: &str = "it is an SVG drawing, which has no pixels: export it as PNG";
const PHOTOSHOP: &str = "it is a Photoshop file: export it as PNG or JPEG";
const VIDEO: &str = "it is a video: take a screenshot of one frame and save it as PNG or JPEG";
const WEB_PAGE: &str = "it is a web page saved under the name of an image: download the image itself";
const EMPTY: &str = "the file is empty: copy or download it again";

/// Extensions of camera RAW files; many of them contain TIFF.
const RAW_EXTENSIONS: [&str; 11] =
    ["3fr", "arw", "cr2", "cr3", "dng", "nef", "orf", "pef", "raf", "rw2", "srw"];

/// What to do with a file of an unsupported format; `head` is its first bytes.
pub(super) fn advice(head: &[u8], path: &Path) -> Option<&'static str> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let is_raw = extension.is_some_and(|extension| RAW_EXTENSIONS.contains(&&*extension));
    match head {
        [] => Some(EMPTY),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(container_advice(head)),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some(if is_raw { RAW } else { TIFF }),
        [b'I', b'I', b'R', b'O', ..] | [b'I', b'I', b'U', 0, ..] => Some(RAW),
        _ if head.starts_with(b"FUJIFILMCCD-RAW") => Some(RAW),
        [0xff, 0x0a, ..] => Some(JPEG_XL),
        [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some(JPEG_XL),
        _ if head.starts_with(b"%PDF") => Some(PDF),
        _ if head.starts_with(b"8BPS") => Some(PHOTOSHOP),
        _ => markup_advice(head),
    }
}

/// Distinguishes formats by the "brands" at the start of the container that MP4 and HEIC share.
fn container_advice(head: &[u8]) -> &'static str {
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let brands = &head[8..length.clamp(8, head.len())];
    let has = |names: &[&[u8; 4]]| brands.chunks(4).any(|brand| names.iter().any(|name| brand == *name));
    if has(&[b"avif", b"avis"]) {
        AVIF
    } else if has(&[b"crx "]) {
        RAW
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        HEIC
    } else {
        VIDEO
    }
}

/// Distinguishes SVG drawings and web pages, which begin with `<`.
fn markup_advice(head: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(head).to_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if !text.starts_with('<') {
        return None;
    }
    let svg = text.find("<svg");
    match text.find("<html").or(text.find("<!doctype html")) {
        Some(html) if svg.is_none_or(|svg| html < svg) => Some(WEB_PAGE),
        _ => svg.map(|_| SVG),
    }
}

/// Whether a decoder ran out of bytes. PNG and BMP report this as an error kind, GIF and WebP only as text.
pub(super) fn ended_early(error: &ImageError) -> bool {
    if let ImageError::IoError(error) = error {
        return error.kind() == ErrorKind::UnexpectedEof;
    }
    let text = error.to_string();
    ["Unexpected End of File", "Corrupt bitstream"].iter().any(|words| text.contains(words))
}

/// Whether a JPEG file ends before its image does. Decoders fill the missing part with grey.
///
/// Follows the markers to the end of the image (EOI). The markers of an EXIF thumbnail are skipped with
/// its segment; data after the EOI, which some cameras write, is ignored.
///
/// # Source
/// ITU-T T.81, B.1.1.
pub(super) fn jpeg_is_cut_off(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(&[0xff, 0xd8]) else { return false };
    loop {
        let Some(marker) = rest.iter().position(|&byte| byte == 0xff) else { return true };
        rest = &rest[marker..];
        let Some(code) = rest.iter().position(|&byte| byte != 0xff) else { return true };
        let kind = rest[code];
        rest = &rest[code + 1..];
        match kind {
            0xd9 => return false,
            // A byte 0xff of the image data, or a marker without a segment.
            0 | 1 | 0xd0..=0xd8 => {}
            _ => {
                let [high, low, ..] = *rest else { return true };
                let Some(after) = rest.get(usize::from(u16::from_be_bytes([high, low]))..) else {
                    return true;
                };
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::Image, testing::TempFolder};
    use image::{ExtendedColorType, ImageEncoder as _};
    use std::fs;

    fn read(file: &str) -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
    }

    /// The error of opening a file with these bytes; empty if it can be read.
    fn message(folder: &TempFolder, name: &str, bytes: &[u8]) -> String {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        Image::open(&file).map_or_else(|error| error.to_string(), |_| String::new())
    }

    /// Complete files of all formats. Noise, where it can be encoded, spreads the image data over the
    /// whole file.
    fn complete_files() -> Vec<(&'static str, Vec<u8>)> {
        let (width, height) = (60, 40);
        let mut rng = crate::random::Rng::new(7, 0);
        let rgb: Vec<u8> = (0..width * height * 3).map(|_| rng.below(256) as u8).collect();
        let noise = image::RgbImage::from_raw(width, height, rgb.clone()).unwrap();
        let as_file = |format| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            noise.write_to(&mut bytes, format).unwrap();
            bytes.into_inner()
        };
        let mut lossless = Vec::new();
        image::codecs::webp::WebPEncoder::new_lossless(&mut lossless)
            .write_image(&rgb, width, height, ExtendedColorType::Rgb8)
            .unwrap();
        vec![
            ("china.jpg", read("../../datasets/photos/china.jpg")),
            ("progressive.jpg", read("tests/see/progressive.jpg")),
            ("cmyk.jpg", read("tests/see/cmyk.jpg")),
            ("noise.png", as_file(image::ImageFormat::Png)),
            ("noise.gif", as_file(image::ImageFormat::Gif)),
            ("noise.bmp", as_file(image::ImageFormat::Bmp)),
            ("noise.webp", lossless),
            ("lossy.webp", read("tests/see/lossy.webp")),
        ]
    }

    #[test]
    fn a_truncated_file_is_reported() {
        let folder = TempFolder::new("image-cut");
        for (name, bytes) in complete_files() {
            assert_eq!(message(&folder, name, &bytes), "", "{name}");
            for part in 3..10 {
                let error = message(&folder, name, &bytes[..bytes.len() * part / 10]);
                assert!(error.contains("cut off"), "{part} tenths of {name}: {error}");
            }
            // The full length, but the second half was never received.
            let mut half = bytes.clone();
            let middle = half.len() / 2;
            half[middle..].fill(0);
            if name.ends_with(".jpg") {
                assert!(message(&folder, name, &half).contains("cut off"), "{name}");
            }
        }
    }

    #[test]
    fn a_jpeg_ends_where_its_image_ends() {
        let folder = TempFolder::new("image-jpeg-end");
        let bytes = read("../../datasets/photos/china.jpg");
        let small = read("tests/see/cmyk.jpg");
        // Cameras write previews and videos after the end; some pad markers with 0xff.
        for trailer in [&b"\0\0\0\0"[..], b"more", &small, &small[..200], &[0xff; 9]] {
            assert_eq!(message(&folder, "trailer.jpg", &[&bytes, trailer].concat()), "");
        }
        // A thumbnail with its own end marker, before the image data.
        let length = (small.len() + 8) as u16;
        let exif = [&[0xff, 0xff, 0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0", &small].concat();
        let with_thumbnail = [&bytes[..2], &exif, &bytes[2..]].concat();
        assert_eq!(message(&folder, "thumbnail.jpg", &with_thumbnail), "");
        for cut in [exif.len() + 2, exif.len() + 500, with_thumbnail.len() / 2, with_thumbnail.len() - 2] {
            assert!(jpeg_is_cut_off(&with_thumbnail[..cut]), "{cut}");
        }
        // Every proper prefix of a JPEG is cut off; the complete file is not.
        let progressive = read("tests/see/progressive.jpg");
        let complete = (2..=progressive.len()).filter(|&end| !jpeg_is_cut_off(&progressive[..end]));
        assert_eq!(complete.collect::<Vec<_>>(), [progressive.len()]);
    }

    #[test]
    fn unsupported_formats_come_with_advice() {
        let folder = TempFolder::new("image-advice");
        let brands = |major: &str, more: &str| {
            let length = (16 + more.len()) as u32;
            [&length.to_be_bytes()[..], b"ftyp", major.as_bytes(), &[0; 4], more.as_bytes(), b"mdat"].concat()
        };
        let cases: [(&str, Vec<u8>, &str); 19] = [
            // Recognized by the content, under any name.
            ("a.jpg", brands("heic", "mif1heic"), "Most Compatible"),
            ("a.heic", brands("mif1", "mif1heic"), "HEIC"),
            ("a.avif", brands("avif", "mif1miaf"), "AVIF"),
            ("b.avif", brands("mif1", "avifmiaf"), "AVIF"),
            ("a.cr3", brands("crx ", "crx isom"), "RAW"),
            ("a.mov", brands("qt  ", "qt  "), "a video"),
            ("a.mp4", brands("isom", "isomavc1mp41"), "a video"),
            ("a.tif", b"II*\0\x08\0\0\0".to_vec(), "TIFF"),
            ("b.tif", b"MM\0*\0\0\0\x08".to_vec(), "TIFF"),
            ("a.NEF", b"MM\0*\0\0\0\x08".to_vec(), "RAW"),
            ("a.rw2", b"IIU\0\x18\0\0\0".to_vec(), "RAW"),
            ("a.raf", b"FUJIFILMCCD-RAW 0201".to_vec(), "RAW"),
            ("a.pdf", b"%PDF-1.7\n".to_vec(), "PDF"),
            ("a.psd", b"8BPS\0\x01".to_vec(), "Photoshop"),
            ("a.jxl", vec![0xff, 0x0a, 0], "JPEG XL"),
            ("a.svg", b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg>".to_vec(), "SVG"),
            ("b.png", b" <svg xmlns='x'><a href='b.html'/></svg>".to_vec(), "SVG"),
            ("c.png", b"\n<!DOCTYPE html><svg/>".to_vec(), "a web page"),
            ("d.png", Vec::new(), "empty"),
        ];
        for (name, bytes, advice) in cases {
            let error = message(&folder, name, &bytes);
            assert!(error.contains(" cannot be read: ") && error.contains(advice), "{name}: {error}");
        }
        // Too short to recognize, or of no known format.
        for bytes in [&b"\0\0\0\x20ftyp"[..], b"\xff\xff\xff\xffftypheic", b"II", b"text", b"<"] {
            assert_ne!(message(&folder, "odd.jpg", bytes), "");
        }
    }
}
