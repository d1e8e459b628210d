//! The kinds of values that learners may answer with.

/// An answer, not checked yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Whole numbers.
    Numbers(Vec<i128>),
    /// A number that is not whole, does not fit into 64 bits, or is NaN.
    Fraction(f64),
    /// Letters, or numbers as text: `20x10x3x3`.
    Text(String),
}

/// Everything that can be an answer: a number, an array, a slice or a `Vec` of
/// whole numbers, a tuple, a text.
pub trait IntoAnswer {
    /// The answer.
    fn into_answer(self) -> Answer;
}

/// A whole number of any size.
pub trait Whole: Copy {
    /// The same number: 128 bits hold all of them.
    fn whole(self) -> i128;
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl Whole for $kind {
            fn whole(self) -> i128 {
                self as i128
            }
        }

        impl IntoAnswer for $kind {
            fn into_answer(self) -> Answer {
                Answer::Numbers(vec![self.whole()])
            }
        }
    )*};
}
whole!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// The number as an integer.
///
/// # Errors
/// If it is NaN, infinite, out of range, or not whole.
pub fn whole_number(number: f64) -> Result<i128, String> {
    if number.is_nan() {
        return Err(
            "NaN is not a number: it is the result of an undefined calculation such as 0.0 / 0.0".into()
        );
    }
    if number.is_infinite() {
        return Err(format!("`{number}` is infinite, for example the result of a division by 0.0"));
    }
    if number.fract() != 0.0 {
        return Err(format!("{number} is not whole"));
    }
    // The limits of 64 bits are exact as floats.
    if number.abs() >= 2f64.powi(63) {
        return Err(out_of_range(&format!("{number:?}")));
    }
    Ok(number as i128)
}

/// The message about a number that no size can be.
pub fn out_of_range(number: &str) -> String {
    format!("{number} is out of range: sizes are at most {}", i64::MAX)
}

macro_rules! fraction {
    ($($kind:ty),*) => {$(
        impl IntoAnswer for $kind {
            fn into_answer(self) -> Answer {
                let number = f64::from(self);
                whole_number(number).map_or(Answer::Fraction(number), |whole| Answer::Numbers(vec![whole]))
            }
        }
    )*};
}
fraction!(f32, f64);

impl<T: Whole> IntoAnswer for &[T] {
    fn into_answer(self) -> Answer {
        Answer::Numbers(self.iter().map(|number| number.whole()).collect())
    }
}

impl<T: Whole, const N: usize> IntoAnswer for [T; N] {
    fn into_answer(self) -> Answer {
        self.as_slice().into_answer()
    }
}

impl<T: Whole, const N: usize> IntoAnswer for &[T; N] {
    fn into_answer(self) -> Answer {
        self.as_slice().into_answer()
    }
}

impl<T: Whole> IntoAnswer for Vec<T> {
    fn into_answer(self) -> Answer {
        self.as_slice().into_answer()
    }
}

impl<T: Whole> IntoAnswer for &Vec<T> {
    fn into_answer(self) -> Answer {
        self.as_slice().into_answer()
    }
}

macro_rules! tuple {
    ($($kind:ident $name:ident),*) => {
        impl<$($kind: Whole),*> IntoAnswer for ($($kind,)*) {
            fn into_answer(self) -> Answer {
                let ($($name,)*) = self;
                Answer::Numbers(vec![$($name.whole()),*])
            }
        }
    };
}
tuple!(A a, B b);
tuple!(A a, B b, C c);
tuple!(A a, B b, C c, D d);

impl IntoAnswer for &str {
    fn into_answer(self) -> Answer {
        Answer::Text(self.into())
    }
}

impl IntoAnswer for String {
    fn into_answer(self) -> Answer {
        Answer::Text(self)
    }
}

impl IntoAnswer for &String {
    fn into_answer(self) -> Answer {
        Answer::Text(self.clone())
    }
}

impl IntoAnswer for char {
    fn into_answer(self) -> Answer {
        Answer::Text(self.into())
    }
}

impl IntoAnswer for Answer {
    fn into_answer(self) -> Answer {
        self
    }
}
