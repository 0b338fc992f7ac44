//! Heads: what is done with an embedding once the encoder has made it.

mod conse;
mod no_match;
mod zero_shot;

pub(crate) use conse::Conse;
pub(crate) use no_match::{Background, Standing};
pub use zero_shot::{Probabilities, cosine, softmax};
pub(crate) use zero_shot::{label_margin, rank, sigmoid_into, softmax_into};

/// What the heads make of one picture, in memory that is kept from one to the next.
#[derive(Default)]
pub(crate) struct HeadSpace {
    /// Class logits `[classes]`, where there is a classifier.
    pub logits: Vec<f32>,
    /// The embedding in the text space, `[d]`, of length one.
    pub embedding: Vec<f32>,
    quantized: Vec<i8>,
    sums: Vec<i32>,
    probabilities: Vec<f32>,
    sorted: Vec<f32>,
}

/// Scales `vector` to length one; `None` where it has no direction (zero, NaN or infinite).
pub(crate) fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    make_unit(&mut vector).then_some(vector)
}

/// Scales `vector` to length one; leaves it, and says false, where it has no direction.
pub(crate) fn make_unit(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() || length < 1e-12 {
        return false;
    }
    vector.iter_mut().for_each(|x| *x /= length);
    true
}
