//! The well-known filters by their numbers, for the notebooks and the interactive figures.

/// A filter for one channel.
pub struct Kernel {
    /// What the course calls it.
    pub name: &'static str,
    /// The weights, row by row.
    pub rows: &'static [&'static [f32]],
    /// What is added to each sum.
    pub bias: f32,
}

const fn kernel(name: &'static str, rows: &'static [&'static [f32]]) -> Kernel {
    Kernel { name, rows, bias: 0.0 }
}

const BRIGHTER: &[f32] = &[-1.0, 0.0, 1.0];
const PART: &[f32] = &[1.0 / 25.0; 5];

/// Responds where the image gets brighter from left to right (the lecture's filter 1).
pub const VERTICAL_EDGE: Kernel = kernel("vertical edge", &[BRIGHTER; 3]);

/// Responds where the image gets brighter from top to bottom (the lecture's filter 2).
pub const HORIZONTAL_EDGE: Kernel = kernel("horizontal edge", &[&[-1.0; 3], &[0.0; 3], &[1.0; 3]]);

/// Responds to edges that fall from the top left to the bottom right.
pub const FALLING_DIAGONAL: Kernel =
    kernel("falling diagonal", &[&[0.0, 1.0, 1.0], &[-1.0, 0.0, 1.0], &[-1.0, -1.0, 0.0]]);

/// Responds to edges that rise from the bottom left to the top right.
pub const RISING_DIAGONAL: Kernel =
    kernel("rising diagonal", &[&[-1.0, -1.0, 0.0], &[-1.0, 0.0, 1.0], &[0.0, 1.0, 1.0]]);

/// The mean of a 5 × 5 window.
pub const BLUR: Kernel = kernel("blur", &[PART; 5]);

/// Amplifies the difference between each pixel and its four neighbours.
pub const SHARPEN: Kernel = kernel("sharpen", &[&[0.0, -1.0, 0.0], &[-1.0, 5.0, -1.0], &[0.0, -1.0, 0.0]]);

/// A relief lit from the bottom right. Its bias is a middle grey.
pub const EMBOSS: Kernel =
    Kernel { bias: 0.5, ..kernel("emboss", &[&[-1.0, 0.0, 0.0], &[0.0, 0.0, 0.0], &[0.0, 0.0, 1.0]]) };

/// Leaves every value unchanged.
pub const IDENTITY: Kernel = kernel("identity", &[&[0.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 0.0]]);

/// All of them.
pub const ALL: [Kernel; 8] =
    [VERTICAL_EDGE, HORIZONTAL_EDGE, FALLING_DIAGONAL, RISING_DIAGONAL, BLUR, SHARPEN, EMBOSS, IDENTITY];

/// A filter for red: red counts positively, green and blue negatively, so that grey gives 0.
pub const FOR_RED: [f32; 3] = [1.0, -0.5, -0.5];
/// A filter for green.
pub const FOR_GREEN: [f32; 3] = [-0.5, 1.0, -0.5];
/// A filter for blue.
pub const FOR_BLUE: [f32; 3] = [-0.5, -0.5, 1.0];
/// A filter for yellow, which is red and green without blue.
pub const FOR_YELLOW: [f32; 3] = [0.5, 0.5, -1.0];
