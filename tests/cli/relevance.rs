//! Where the words are: `--where` and `--heat` on pictures in which that is known.
#![allow(missing_docs)]

use image::{DynamicImage, GenericImage, RgbImage, imageops::FilterType};
use ocellus_tests::{BundleCopy, data, host_program, ocellus, photo};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Side of one photo in a scene.
const PART: u32 = 240;

/// Photos side by side, or above one another, on white.
fn scene(folder: &Path, columns: u32, names: &[&str]) -> PathBuf {
    let rows = (names.len() as u32).div_ceil(columns);
    let mut scene = RgbImage::from_pixel(columns * PART, rows * PART, image::Rgb([255; 3]));
    for (at, name) in (0..).zip(names) {
        let photo = image::open(data("photos").join(name)).expect("a photo");
        let part = photo.resize_to_fill(PART, PART, FilterType::Triangle);
        scene
            .copy_from(&part.to_rgb8(), at % columns * PART, at / columns * PART)
            .expect("it fits");
    }
    let path = folder.join("scene.png");
    DynamicImage::from(scene).save(&path).expect("a file");
    path
}

fn answer(image: &Path, labels: &str, more: &[&str]) -> Value {
    let image = image.display().to_string();
    let call = ["label", "--json", "--where", &image, "--labels", labels];
    ocellus([&call, more].concat()).answer()
}

fn hit<'a>(answer: &'a Value, label: &str) -> &'a Value {
    let hits = answer["labels"].as_array().expect("a list");
    let found = hits.iter().find(|hit| hit["label"] == label);
    found.unwrap_or_else(|| panic!("no {label} in {answer}"))
}

fn peak(answer: &Value, label: &str) -> [f64; 2] {
    let peak = &hit(answer, label)["peak_px"];
    [0, 1].map(|axis| peak[axis].as_f64().unwrap_or_else(|| panic!("{answer}")))
}

fn grid(hit: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(hit["relevance"].clone()).expect("rows of numbers")
}

const PAIR: &str = "a cat,a cup of coffee";

#[test]
fn a_peak_lies_on_its_object_in_the_picture_s_pixels() {
    let folder = tempfile::tempdir().expect("a folder");
    let side = f64::from(PART);
    // An emulated core is slow, and gives the bytes that the host gives: that is another test's matter.
    let resolutions = match host_program() {
        Some(_) => &["160"][..],
        None => &["160", "224"],
    };
    for (names, cat_first) in [
        (["chelsea.jpg", "coffee.jpg"], true),
        (["coffee.jpg", "chelsea.jpg"], false),
    ] {
        for columns in [2, 1] {
            let scene = scene(folder.path(), columns, &names);
            let axis = usize::from(columns == 1);
            for &resolution in resolutions {
                for crop in ["squash", "tiles"] {
                    let more = ["--crop", crop, "--resolution", resolution];
                    let answer = answer(&scene, PAIR, &more);
                    let (cat, coffee) = (
                        peak(&answer, "a cat")[axis],
                        peak(&answer, "a cup of coffee")[axis],
                    );
                    assert_eq!(cat < side, cat_first, "{columns} {more:?}: {answer}");
                    assert_eq!(coffee > side, cat_first, "{columns} {more:?}: {answer}");
                }
            }
        }
    }
}

#[test]
fn the_crop_is_undone() {
    // The cat is in the middle third; the centre square sees nothing else.
    let folder = tempfile::tempdir().expect("a folder");
    let scene = scene(
        folder.path(),
        3,
        &["rocket.jpg", "chelsea.jpg", "rocket.jpg"],
    );
    let answer = answer(&scene, "a cat,a rocket", &["--resolution", "224"]);
    let [x, y] = peak(&answer, "a cat");
    let seen = &answer["seen"][0];
    let edge = |name: &str| seen[name].as_f64().expect("a number");
    assert!(edge("x") > f64::from(PART), "{answer}");
    assert!(x > edge("x") && x < edge("x") + edge("width"), "{answer}");
    assert!(y > edge("y") && y < edge("y") + edge("height"), "{answer}");
}

#[test]
fn shares_are_of_one_whole_and_cover_the_map() {
    for (resolution, side) in [("112", 4), ("160", 5), ("224", 7)] {
        let photo = PathBuf::from(photo("astronaut.jpg"));
        let labels = "a woman,a rocket,a flag,a cat";
        let answer = answer(&photo, labels, &["--resolution", resolution]);
        let mut sums = vec![0.0; side * side];
        for hit in answer["labels"].as_array().expect("a list") {
            let grid = grid(hit);
            assert_eq!(grid.len(), side, "{answer}");
            assert!(grid.iter().all(|row| row.len() == side), "{answer}");
            let most = grid.iter().flatten().copied().fold(0.0, f64::max);
            let score = hit["local_score"].as_f64().expect("a number");
            assert!((score - most).abs() < 1e-6, "{hit}");
            for (sum, share) in sums.iter_mut().zip(grid.iter().flatten()) {
                assert!((0.0..=1.0).contains(share), "{hit}");
                *sum += share;
            }
        }
        // The rest of each cell is what fits none of them.
        assert!(
            sums.iter().all(|sum| (0.001..1.0 + 1e-5).contains(sum)),
            "{sums:?}"
        );
    }
}

#[test]
fn one_label_alone_has_a_map_that_is_not_flat() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = scene(folder.path(), 2, &["rocket.jpg", "chelsea.jpg"]);
    let more = ["--crop", "squash", "--resolution", "224"];
    let answer = answer(&scene, "a cat", &more);
    assert!(peak(&answer, "a cat")[0] > f64::from(PART), "{answer}");
    let grid = grid(hit(&answer, "a cat"));
    assert!(grid[3][0] < 0.2 && grid[3][5] > 0.8, "{grid:?}");
}

#[test]
fn a_block_attends_to_top_k_labels_and_all_of_them_is_global() {
    let photo = PathBuf::from(photo("chelsea.jpg"));
    let labels = "a cat,a dog,a bus,a cup,a rocket,a piano,a flag,a boat";
    let at = |more: &[&str]| answer(&photo, labels, &[&["--resolution", "224"], more].concat());
    let attended = |answer: &Value| -> Vec<usize> {
        let grids: Vec<_> = answer["labels"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|hit| grid(hit).concat())
            .collect();
        (0..49)
            .map(|cell| grids.iter().filter(|grid| grid[cell] > 0.0).count())
            .collect()
    };
    let local = at(&["--block", "2", "--top-k", "3"]);
    assert_eq!(attended(&local), [3; 49], "{local}");
    let all = at(&["--block", "2", "--top-k", "8"]);
    assert_eq!(attended(&all), [8; 49]);
    let global = at(&["--block", "7", "--top-k", "100"]);
    assert_eq!(all["labels"], global["labels"]);
    // Nobody's second choice: no block of the cat's face takes it among its best.
    let nowhere = at(&["--block", "7", "--top-k", "1"]);
    let peaks = |answer: &Value| {
        let hits = answer["labels"].as_array().expect("a list").clone();
        hits.iter().filter(|hit| !hit["peak_px"].is_null()).count()
    };
    assert_eq!(peaks(&nowhere), 1, "{nowhere}");
    assert!(hit(&nowhere, "a cat")["peak_px"].is_array(), "{nowhere}");
}

#[test]
fn asking_where_changes_no_score() {
    let photo = photo("coffee.jpg");
    let call = ["label", "--json", &photo, "--labels", PAIR];
    let plain = ocellus(call).answer();
    let placed = ocellus([&call[..], &["--where"]].concat()).answer();
    for (plain, placed) in [0, 1].map(|at| (&plain["labels"][at], &placed["labels"][at])) {
        assert!(plain.get("relevance").is_none(), "{plain}");
        for field in ["label", "score", "probability"] {
            assert_eq!(plain[field], placed[field]);
        }
    }
}

#[test]
fn the_text_form_says_where() {
    let run = ocellus(["label", &photo("chelsea.jpg"), "--labels", PAIR, "--where"]);
    assert!(run.stdout.contains("a cat, at "), "{run:?}");
}

#[test]
fn the_heat_picture_has_a_panel_for_each_of_the_best_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let heat = |name: &str, labels: &str| {
        let path = folder.path().join(name).display().to_string();
        let image = photo("chelsea.jpg");
        let call = ["label", &image, "--labels", labels, "--heat", &path];
        let run = ocellus([&call[..], &["--resolution", "112"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        image::open(&path).expect("a picture").to_rgb8()
    };
    let one = heat("one.png", "a cat");
    let two = heat("two.png", "a cat,a dog");
    assert!(two.width() > one.width() + 400 && two.height() == one.height());
    let many = heat(
        "many.png",
        "a cat,a dog,a bus,a cup,a boat,a rocket,a flag,a piano",
    );
    assert!(many.height() > one.height() + 200, "two rows");
    // The photo is grey and the page white: colour is heat, and the scale.
    let colored = |picture: &RgbImage| {
        let differ = |p: &&image::Rgb<u8>| {
            p.0.iter().max() > p.0.iter().min().map(|p| p.saturating_add(8)).as_ref()
        };
        picture.pixels().filter(differ).count()
    };
    assert!(colored(&one) > 20_000, "{}", colored(&one));
}

#[test]
fn the_readme_s_picture_is_what_the_program_draws() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heat.png").display().to_string();
    let (photo, labels) = (
        photo("coffee.jpg"),
        "a cup of coffee,a spoon,a wooden table",
    );
    let call = ["label", &photo, "--labels", labels, "--crop", "squash"];
    let run = ocellus([&call[..], &["--resolution", "224", "--heat", &path]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let open = |path: &Path| image::open(path).expect("a picture").to_rgb8();
    let (drawn, committed) = (open(Path::new(&path)), open(&data("heat.png")));
    assert_eq!(drawn.dimensions(), committed.dimensions());
    let pairs = drawn.as_raw().iter().zip(committed.as_raw());
    let apart: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    // A grey level on average: what a decoder may differ by, and far less than another title or peak.
    assert!(apart < drawn.as_raw().len() as u64, "{apart}");
}

#[test]
fn labels_of_other_scripts_and_of_any_length_are_drawn_or_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heat.png").display().to_string();
    let long = format!("a cat {}", "of the house ".repeat(30));
    let run = ocellus([
        "label",
        &photo("chelsea.jpg"),
        "--label",
        &long,
        "--label",
        "кошка cat",
        "--heat",
        &path,
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    image::open(&path).expect("a picture");
}

#[test]
fn bad_calls_are_refused_before_a_picture_is_read() {
    let (one, two) = (photo("chelsea.jpg"), photo("coffee.jpg"));
    let call = ["label", &one, &two, "--labels", "a cat", "--heat", "h.png"];
    ocellus(call).fails(2, &["--heat", "one image", "2"]);
    for (option, value) in [("--block", "0"), ("--top-k", "0"), ("--block", "x")] {
        ocellus(["label", &one, "--labels", "a cat", option, value]).fails(2, &[option]);
    }
}

#[test]
fn a_heat_picture_that_cannot_be_written_is_an_error_that_names_it() {
    let call = ["label", &photo("chelsea.jpg"), "--labels", "a cat"];
    let to = ["--heat", "no-such-folder/heat.png"];
    ocellus([&call[..], &to].concat()).fails(1, &["--heat", "no-such-folder/heat.png"]);
    let run = ocellus([&call[..], &to, &["--json"]].concat());
    assert_eq!(run.code, 1);
    assert_eq!(run.json()[0]["error"]["kind"], "io");
}

#[test]
fn a_bundle_without_the_calibration_says_so() {
    let bundle = BundleCopy::new().manifest(|text| {
        let at = |table| text.find(table).expect("a table");
        [&text[..at("[relevance]")], &text[at("[golden]")..]].concat()
    });
    let folder = bundle.path().display().to_string();
    let photo = photo("chelsea.jpg");
    let call = ["label", &photo, "--labels", "a cat", "--bundle", &folder];
    assert_eq!(ocellus(call).code, 0);
    ocellus([&call[..], &["--where"]].concat()).fails(2, &["[relevance]", "leave"]);
}
