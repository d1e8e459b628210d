//! The filter lab as a figure: the photos and the filter that it begins with.

use crate::Figure;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nchw_core::{Error, Result};
use serde_json::{Value, json};

/// A photo that comes with a figure.
pub struct Photo {
    name: String,
    url: String,
    credit: Option<&'static str>,
}

impl Photo {
    /// A photo of the bytes of an image file, such as PNG or JPEG. Figures scale it to 320 pixels, so a larger one
    /// only makes the page larger.
    pub fn new(name: impl Into<String>, file: &[u8]) -> Photo {
        // A browser recognises the format from the bytes, even if this type is wrong.
        let kind = if file.starts_with(b"\x89PNG") { "png" } else { "jpeg" };
        Photo {
            name: name.into(),
            url: format!("data:image/{kind};base64,{}", STANDARD.encode(file)),
            credit: None,
        }
    }

    /// The photos of the notebooks, scaled to 320 columns.
    pub fn of_the_course() -> [Photo; 2] {
        let china = Photo::new("china.jpg", include_bytes!("../../assets/china-320.jpg"));
        let cat = Photo::new("chelsea.png", include_bytes!("../../assets/chelsea-320.jpg"));
        [
            Photo { credit: Some("danielbuechele on Flickr, CC BY 2.0"), ..china },
            Photo { credit: Some("Stefan van der Walt, CC0"), ..cat },
        ]
    }
}

/// A filter that the filter lab begins with.
pub struct LabFilter<'a> {
    /// Its name in the menu.
    pub name: &'a str,
    /// `[N=1, C, H, W]`, C = 1 (applied to the grey photo) or 3 (RGB).
    pub shape: [usize; 4],
    /// The weights, in this shape.
    pub weights: &'a [f32],
    /// What is added to each sum.
    pub bias: f32,
    /// Whether zeros around the photo keep its size.
    pub same: bool,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl Figure {
    /// The filter lab: the weights of a filter, applied to a photo at once. It begins with the first photo; the
    /// reader can open others.
    ///
    /// # Errors
    /// When the filter has another shape than [`LabFilter::shape`] says, or a kernel larger than 7 × 7.
    pub fn filter(photos: &[Photo], filter: Option<&LabFilter>) -> Result<Figure> {
        let option =
            |Photo { name, url, credit }: &Photo| json!({"name": name, "url": url, "credit": credit});
        let photos: Vec<Value> = photos.iter().map(option).collect();
        let mut options = json!({"photos": photos});
        if let Some(filter) = filter {
            let LabFilter { name, shape, weights, bias, same, relu } = *filter;
            let [_, channels, h, w] = checked(shape, weights.len())?;
            options["filter"] = json!({"name": name, "channels": channels, "kernel": [h, w], "weights": weights, "bias": bias});
            options["settings"] = json!({"same": same, "relu": relu});
        }
        Ok(Figure::new("filter", "Filter lab").options(options))
    }
}

fn checked(shape: [usize; 4], weights: usize) -> Result<[usize; 4]> {
    let says = |axis: &str, expected: &str, got: usize| {
        Error::new(format!(
            "the filter lab shows one filter of shape [1, C, H, W], C = 1 or 3, up to 7 x 7; got {shape:?}: axis \
             {axis}: expected {expected}, got {got}"
        ))
    };
    let [n, c, h, w] = shape;
    if n != 1 {
        return Err(says("N (filters)", "1", n));
    }
    if c != 1 && c != 3 {
        return Err(says("C (channels)", "1 or 3", c));
    }
    for (axis, side) in [("H (rows)", h), ("W (columns)", w)] {
        if !(1..=super::MOST).contains(&side) {
            return Err(says(axis, "1 to 7", side));
        }
    }
    if weights != c * h * w {
        return Err(Error::new(format!(
            "a filter of shape {shape:?} (N C H W) has {} weights, got {weights}",
            c * h * w
        )));
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fragment, page};

    fn filter(shape: [usize; 4], weights: &[f32]) -> Result<Figure> {
        let filter = LabFilter { name: "mine", shape, weights, bias: 0.5, same: true, relu: false };
        Figure::filter(&[Photo::new("dot", b"\x89PNG...")], Some(&filter))
    }

    #[test]
    fn a_notebook_s_filter_and_photo_are_options() {
        let text = fragment(&filter([1, 1, 1, 2], &[1.0, f32::NAN]).unwrap(), "<img>");
        for part in [
            "data:image/png;base64,iVBORy4uLg==",
            "&quot;weights&quot;:[1.0,null]",
            "&quot;kernel&quot;:[1,2]",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.contains("nchwFigures.filter = ") && !text.contains("nchwFigures.shapes = "));
    }

    #[test]
    fn a_filter_that_cannot_be_shown_is_an_error() {
        let says = |shape, count| filter(shape, &vec![0.0; count]).err().unwrap().to_string();
        assert!(says([2, 1, 3, 3], 18).ends_with("got [2, 1, 3, 3]: axis N (filters): expected 1, got 2"));
        assert!(says([1, 8, 3, 3], 72).ends_with("axis C (channels): expected 1 or 3, got 8"));
        assert!(says([1, 1, 9, 3], 27).ends_with("axis H (rows): expected 1 to 7, got 9"));
        assert_eq!(says([1, 3, 3, 3], 9), "a filter of shape [1, 3, 3, 3] (N C H W) has 27 weights, got 9");
    }

    #[test]
    fn the_page_is_small_enough_to_hand_out() {
        let figure = Figure::filter(&Photo::of_the_course(), None).unwrap();
        let text = page("Filter lab", &[figure]);
        assert!(text.len() < 350_000, "{}", text.len());
    }
}
