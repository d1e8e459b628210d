//! What learners may answer with, and what is made of it.

/// An answer, not yet looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// A number with something behind the point.
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
    /// As 64 bits; what is beyond them is the largest there is.
    fn whole(self) -> i64;
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl Whole for $kind {
            fn whole(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
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

macro_rules! fraction {
    ($($kind:ty),*) => {$(
        impl IntoAnswer for $kind {
            fn into_answer(self) -> Answer {
                let number = f64::from(self);
                match number.fract() == 0.0 {
                    true => Answer::Numbers(vec![number as i64]),
                    false => Answer::Fraction(number),
                }
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
