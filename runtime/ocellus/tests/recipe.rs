//! What the recipe computed with its own preprocessing, this library computes from the same picture files.
#![allow(missing_docs)]

use ocellus::{
    Bundle, Engine, detect_isa,
    vision::{DecodeLimits, Frame, Picture, PixelFormat, Plane, decode},
};
use serde_json::Value;
use std::{fs, path::PathBuf};

fn tests_folder() -> PathBuf {
    PathBuf::from("../../tests")
}

fn engine() -> Engine {
    let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
    Engine::load(bundle, detect_isa()).expect("the default bundle loads")
}

/// The least cosine of pixels that are the recipe's own: only the preprocessing can differ.
const LEAST_FROM_PIXELS: f64 = 0.999;

/// The least cosine from a JPEG file, whose decoders differ by a grey level here and there. That turns the features of an
/// INT8 encoder, which rounds thousands of times, by cosines down to .998; in f32 they stay within .9997. Where no class
/// fits well (an orange suit, a dark sky) the embedding turns further than the features, and at small resolutions few
/// cells are averaged.
fn least_from_jpeg(name: &str, side: u32) -> f64 {
    match (name, side) {
        ("astronaut.jpg", 112) => 0.998,
        ("rocket.jpg", ..=160) => 0.996,
        _ => 0.999,
    }
}

/// The least cosine through NV12, which halves the colours' resolution.
const LEAST_FROM_NV12: f64 = 0.99;

/// Each photo of a list in the golden file: its name, the picture, and the recipe's embedding by resolution.
fn photos(list: &str, folder: &str) -> Vec<(String, Picture, Value)> {
    let text = fs::read_to_string(tests_folder().join("golden/embeddings.json")).expect("goldens");
    let golden: Value = serde_json::from_str(&text).expect("JSON");
    let read = |photo: &Value| {
        let name = photo["file"].as_str().expect("a name").to_owned();
        let bytes = fs::read(tests_folder().join(folder).join(&name)).expect("a photo");
        let picture = decode(&bytes, &DecodeLimits::default()).expect("a picture");
        (name, picture, photo["resolutions"].clone())
    };
    let photos = golden[list].as_array().expect("a list");
    assert_eq!(photos.len(), 4);
    photos.iter().map(read).collect()
}

fn cosine(a: &[f32], golden: &Value) -> f64 {
    let b: Vec<f64> = golden
        .as_array()
        .expect("a vector")
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect();
    assert_eq!(a.len(), b.len());
    let dot = |x: &mut dyn Iterator<Item = (f64, f64)>| x.map(|(a, b)| a * b).sum::<f64>();
    let wide = || a.iter().map(|&x| f64::from(x));
    dot(&mut wide().zip(b.iter().copied()))
        / (dot(&mut wide().zip(wide())) * dot(&mut b.iter().copied().zip(b.iter().copied()))).sqrt()
}

/// BT.601, limited range: the planes of luma and of interleaved chroma, each chroma sample the mean of its four pixels.
fn nv12(picture: &Picture) -> (Vec<u8>, Vec<u8>) {
    let (width, height) = (picture.width, picture.height);
    let pixel = |x: usize, y: usize| {
        let at = (y.min(height - 1) * width + x.min(width - 1)) * 3;
        [0, 1, 2].map(|c| f64::from(picture.rgb[at + c]))
    };
    let mix = |[r, g, b]: [f64; 3], [kr, kg, kb, offset]: [f64; 4]| {
        (kr * r + kg * g + kb * b + offset).round() as u8
    };
    let luma = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| mix(pixel(x, y), [0.256_788, 0.504_129, 0.097_906, 16.0]))
        .collect();
    let mut chroma = Vec::new();
    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let four = [
                pixel(x, y),
                pixel(x + 1, y),
                pixel(x, y + 1),
                pixel(x + 1, y + 1),
            ];
            let mean = [0, 1, 2].map(|c| four.iter().map(|pixel| pixel[c]).sum::<f64>() / 4.0);
            chroma.push(mix(mean, [-0.148_223, -0.290_993, 0.439_216, 128.0]));
            chroma.push(mix(mean, [0.439_216, -0.367_788, -0.071_427, 128.0]));
        }
    }
    (luma, chroma)
}

/// What is said of a frame whose embedding at `side` has a cosine below `least` to the recipe's.
fn below(
    engine: &Engine,
    what: &str,
    frame: &Frame,
    side: u32,
    golden: &Value,
    least: f64,
) -> Option<String> {
    let got = engine
        .embed_frame(frame, side)
        .expect("an embedding")
        .embedding;
    let cosine = cosine(&got, &golden[side.to_string()]["embedding"]);
    let line = format!("{what} at {side}: cosine {cosine:.5}");
    println!("{line}");
    (cosine < least).then_some(line)
}

#[test]
fn embeddings_are_the_recipes_from_pixels() {
    let engine = engine();
    let mut all = Vec::new();
    for (name, picture, golden) in photos("lossless", "golden") {
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb).expect("a frame");
        for &side in engine.resolutions() {
            all.extend(below(
                &engine,
                &name,
                &frame,
                side,
                &golden,
                LEAST_FROM_PIXELS,
            ));
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn embeddings_are_the_recipes_from_jpeg_files_and_through_nv12() {
    let engine = engine();
    let mut all = Vec::new();
    for (name, picture, golden) in photos("photos", "data/photos") {
        let rgb = Frame::rgb(picture.width, picture.height, &picture.rgb).expect("a frame");
        let (luma, chroma) = nv12(&picture);
        let planes = [
            Plane {
                data: &luma,
                stride: picture.width,
            },
            Plane {
                data: &chroma,
                stride: picture.width.div_ceil(2) * 2,
            },
        ];
        let camera =
            Frame::new(PixelFormat::Nv12, picture.width, picture.height, &planes).expect("a frame");
        for &side in engine.resolutions() {
            for (kind, frame, least) in [
                ("RGB", &rgb, least_from_jpeg(&name, side)),
                ("NV12", &camera, LEAST_FROM_NV12),
            ] {
                let what = format!("{name} as {kind}");
                all.extend(below(&engine, &what, frame, side, &golden, least));
            }
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}
