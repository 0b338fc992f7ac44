//! The resize against Pillow's, on pictures drawn here and by `data/make.py` with one formula.

use ocellus_vision::{Frame, Intermediate, View};
use serde_json::Value;

/// `0..=255` up and down again, in integers.
fn triangle(n: i64, period: i64) -> u8 {
    ((n.rem_euclid(2 * period) - period).abs() * 255 / period) as u8
}

fn picture(width: i64, height: i64) -> Vec<u8> {
    let pixel = |x, y| {
        [
            triangle(5 * x + 3 * y, 64),
            triangle(x * y / 4, 90),
            triangle(11 * x - 7 * y + 20 * height, 33),
        ]
    };
    (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| pixel(x, y))
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

/// Mean and largest difference of two pictures.
fn difference(ours: &[u8], theirs: &[u8]) -> (f64, u8) {
    assert_eq!(ours.len(), theirs.len());
    let apart = || ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b));
    (
        apart().map(f64::from).sum::<f64>() / ours.len() as f64,
        apart().max().unwrap(),
    )
}

#[test]
fn resize_is_pillow_s_bicubic() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/resize.json")).unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let number = |key: &str| case[key].as_i64().unwrap();
        let edge = |index: usize| case["box"][index].as_f64().unwrap();
        let (width, height, resolution) = (
            number("width"),
            number("height"),
            number("resolution") as usize,
        );
        let view = View {
            left: edge(0),
            top: edge(1),
            width: edge(2) - edge(0),
            height: edge(3) - edge(1),
        };

        let rgb = picture(width, height);
        let frame = Frame::rgb(width as usize, height as usize, &rgb).unwrap();
        let ours = Intermediate::read(&frame, &view).resize(resolution);
        let (mean, largest) = difference(&ours, &bytes(case["pixels"].as_str().unwrap()));
        println!("{width}x{height} {view:?} -> {resolution}: mean {mean:.4}, largest {largest}");
        // Weights have 16 bits here and 22 there. Pictures over 512 pixels are reduced in two steps, rows first, which
        // rounds twice more.
        let (most_mean, most) = if height > 512 { (0.1, 1) } else { (0.01, 1) };
        assert!(
            mean <= most_mean && largest <= most,
            "{width}x{height} to {resolution}: {mean} {largest}"
        );
    }
}
