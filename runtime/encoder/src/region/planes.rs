//! Elements from planes to pixels and back, where a region takes or gives integers, or a convolution gives reals.
//!
//! Limits: plain loops; the doors that matter take and give f32, and those are kernels.

/// `[images, pixels, channels]`
pub(super) type Images = [usize; 3];

/// Turns images of planes into images of pixels, element by element.
pub(super) fn to_pixels<T: Copy>(
    from: &[T],
    [_, pixels, channels]: Images,
    to: &mut [i8],
    convert: impl Fn(T) -> i8,
) {
    let image = pixels * channels;
    for (from, to) in from.chunks_exact(image).zip(to.chunks_exact_mut(image)) {
        for (channel, from) in from.chunks_exact(pixels).enumerate() {
            let to = to[channel..].iter_mut().step_by(channels);
            to.zip(from).for_each(|(to, &from)| *to = convert(from));
        }
    }
}

/// Turns images of pixels into images of planes, element by element.
pub(super) fn to_planes<F: Copy, T>(
    from: &[F],
    [_, pixels, channels]: Images,
    to: &mut [T],
    convert: impl Fn(F) -> T,
) {
    let image = pixels * channels;
    for (from, to) in from.chunks_exact(image).zip(to.chunks_exact_mut(image)) {
        for (channel, to) in to.chunks_exact_mut(pixels).enumerate() {
            let from = from[channel..].iter().step_by(channels);
            to.iter_mut()
                .zip(from)
                .for_each(|(to, &from)| *to = convert(from));
        }
    }
}
