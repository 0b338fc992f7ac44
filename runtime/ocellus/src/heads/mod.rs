//! Heads: what is done with an embedding once the encoder has made it.

mod conse;
mod no_match;
mod zero_shot;

pub(crate) use conse::Conse;
pub(crate) use no_match::{Background, Standing};
pub use zero_shot::{cosine, softmax};
pub(crate) use zero_shot::{label_margin, ranking};

/// Scales `vector` to length one; `None` where it has no direction (zero, NaN or infinite).
pub(crate) fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() || length < 1e-12 {
        return None;
    }
    vector.iter_mut().for_each(|x| *x /= length);
    Some(vector)
}
