//! The network explorer as a figure of a page.

use super::halved;
use crate::page::{Figure, pack};
use nchw_core::{
    Error, Result,
    lecture::{CIFAR10_NAMES, SIDE},
};
use serde_json::json;

/// The numbers of an image.
const PIXELS: usize = (3 * SIDE * SIDE) as usize;

/// What the page says of the weights that come with the course; see `crates/nchw/assets/lecture-net.md`.
pub const ABOUT_SHIPPED: &str = "The lecture's network, trained on the 50,000 training images of CIFAR-10 \
                     (JPEG-compressed): 32 x 32 pixels, ten classes. Of the 10,000 test images, it classifies \
                     90.66 % correctly. It knows nothing but these ten classes.";

impl Figure {
    /// The network explorer: a weight file of a `LectureNet`, what the page says of its training, the names of
    /// its classes, and images to choose from, each with its name.
    ///
    /// # Shapes
    /// each image `[3, 32, 32]`, as bytes
    ///
    /// # Errors
    /// If the weights or an image cannot be used.
    pub fn explorer(
        weights: &[u8],
        about: &str,
        classes: &[&str],
        images: &[(String, &[u8])],
    ) -> Result<Figure> {
        let weights = halved(weights)?;
        if images.is_empty() {
            return Err(Error::new("expected at least one image that the figure begins with, got none"));
        }
        if let Some((name, image)) = images.iter().find(|(_, image)| image.len() != PIXELS) {
            return Err(Error::new(format!(
                "`{name}`: expected the {PIXELS} bytes of C=3 H={SIDE} W={SIDE}, got {}",
                image.len()
            )));
        }
        let pixels: Vec<u8> = images.iter().flat_map(|(_, image)| *image).copied().collect();
        let names: Vec<&String> = images.iter().map(|(name, _)| name).collect();
        Ok(Figure::new("explorer", "Network explorer").options(json!({
            "weights": pack(&weights),
            "length": weights.len(),
            "about": about,
            "classes": classes,
            "names": names,
            "pixels": pack(&pixels),
        })))
    }

    /// The network explorer with the lecture's network and three images of each class.
    ///
    /// `weights` is `lecture-net.safetensors`, `album` is `cifar10-test-300.bin`: for each image its label and
    /// its bytes.
    ///
    /// # Errors
    /// Like [`Figure::explorer`].
    pub fn lecture_explorer(weights: &[u8], album: &[u8]) -> Result<Figure> {
        let (records, _) = album.as_chunks::<{ PIXELS + 1 }>();
        let mut images = Vec::new();
        for (label, class) in CIFAR10_NAMES.iter().enumerate() {
            let of_class =
                records.iter().enumerate().filter(|(_, record)| usize::from(record[0]) == label).take(3);
            images.extend(
                of_class.map(|(index, record)| (format!("{class}, test image {index}"), &record[1..])),
            );
        }
        Figure::explorer(weights, ABOUT_SHIPPED, &CIFAR10_NAMES, &images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;

    const WEIGHTS: &[u8] = include_bytes!("../../../nchw/assets/lecture-net.safetensors");
    const ALBUM: &[u8] = include_bytes!("../../../../datasets/album/cifar10-test-300.bin");

    #[test]
    fn the_page_has_weights_and_images_and_at_most_two_megabytes() {
        let text = page("Network explorer", &[Figure::lecture_explorer(WEIGHTS, ALBUM).unwrap()]);
        assert!(text.len() <= 2_000_000, "{}", text.len());
        let without_svg = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_svg.contains("http:") && !without_svg.contains("https:") && !text.contains("src="));
        assert_eq!(text.matches(", test image ").count(), 30);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let explorer = |weights: &[u8], images: &[(String, &[u8])]| {
            Figure::explorer(weights, "", &CIFAR10_NAMES, images).err().unwrap().to_string()
        };
        assert!(explorer(&WEIGHTS[1..], &[]).contains("not a whole safetensors file"));
        assert!(explorer(WEIGHTS, &[]).contains("expected at least one image"));
        let short = explorer(WEIGHTS, &[("cat".into(), &[0; 3000])]);
        assert_eq!(short, "`cat`: expected the 3072 bytes of C=3 H=32 W=32, got 3000");
    }
}
