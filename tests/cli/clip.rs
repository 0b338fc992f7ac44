//! Bundles whose head is CLIP's: a vision transformer and a residual network with files for each resolution, byte pairs, a causal
//! text tower; SigLIP with unigram pieces and probabilities of its own kind; MobileCLIP. The models have learned nothing; what is
//! asked is that INT8 on this machine is near what they are in f32.
#![allow(missing_docs)]

use ocellus_tests::{Draft, ocellus, photo};
use serde_json::Value;

fn label(bundle: &str, more: &[&str]) -> Value {
    let photo = photo("chelsea.jpg");
    let words = [
        "label",
        &photo,
        "--labels",
        "a cat,a dog,a rocket",
        "--json",
        "--bundle",
        bundle,
    ];
    ocellus([&words[..], more].concat()).answer()
}

fn score(answer: &Value, label: &str) -> f64 {
    let labels = answer["labels"].as_array().expect("labels");
    let hit = labels
        .iter()
        .find(|hit| hit["label"] == label)
        .expect("the label");
    hit["score"].as_f64().expect("a number")
}

#[test]
fn embeddings_are_those_of_the_models_in_f32() {
    for (kind, vectors) in [("vit", 6), ("conv", 5), ("siglip", 5), ("mobileclip", 5)] {
        let bundle = Draft::new(kind).into_packed();
        let doctor = ocellus(["doctor", "--json", "--bundle", &bundle.path]).answer();
        assert_eq!(doctor["healthy"], true, "{doctor}");
        let goldens = doctor["goldens"].as_array().expect("a list");
        assert_eq!(goldens.len(), vectors, "{kind}");
        for golden in goldens {
            let cosine = golden["cosine"].as_f64().expect("a number");
            println!("{kind} {}: {cosine:.5}", golden["name"]);
            assert!(cosine >= 0.99, "{kind}: {golden}");
        }
    }
}

#[test]
fn each_resolution_and_policy_answers() {
    let vit = Draft::new("vit").into_packed();
    for side in ["64", "80", "112"] {
        let answer = label(&vit.path, &["--resolution", side]);
        assert_eq!(answer["resolution"].to_string(), side);
        let scores = ["a cat", "a dog", "a rocket"].map(|label| score(&answer, label));
        assert!(
            scores.iter().all(|score| score.abs() < 1.0) && scores[0] != scores[1],
            "{scores:?}"
        );
        // The bundle cannot tell whether anything fits.
        assert_eq!(
            (&answer["no_match"], &answer["match_probability"]),
            (&false.into(), &1.0.into())
        );
    }
    let conv = Draft::new("conv").into_packed();
    for policy in ["entropy", "cascade", "entropy-cascade"] {
        for bundle in [&vit, &conv] {
            let answer = label(&bundle.path, &["--policy", policy]);
            assert_eq!(answer["policy"], policy);
        }
    }
    // Of two resolutions the bundle's one threshold decides, and one may be given.
    let low = label(
        &conv.path,
        &["--policy", "entropy", "--thresholds-bits", "7.9"],
    );
    let high = label(
        &conv.path,
        &["--policy", "entropy", "--thresholds-bits", "1"],
    );
    assert_eq!(
        (&low["resolution"], &high["resolution"]),
        (&64.into(), &96.into())
    );
    let sides = [
        "label",
        &photo("chelsea.jpg"),
        "--labels",
        "a cat",
        "--bundle",
        &conv.path,
        "--resolution",
        "224",
    ]
    .map(String::from);
    ocellus(sides).fails(2, &["[64, 96]", "224"]);
}

#[test]
fn any_text_is_a_label() {
    let bundle = Draft::new("conv").into_packed();
    let long = "a cat ".repeat(100);
    let photo = photo("chelsea.jpg");
    let words = [
        "label",
        &photo,
        "--json",
        "--bundle",
        &bundle.path,
        "--label",
        "猫 on a \u{1f6cb}",
        "--label",
        long.trim(),
        "--label",
        "ＣＡＴ",
        "--label",
        "cat",
    ];
    let answer = ocellus(words).answer();
    assert_eq!(answer["labels"].as_array().map(Vec::len), Some(4));
    assert_eq!(score(&answer, "ＣＡＴ"), score(&answer, "cat"), "{answer}");
    assert!(answer["warnings"].is_null(), "{answer}");
    ocellus([
        "label",
        &photo,
        "--bundle",
        &bundle.path,
        "--label",
        "\u{3000}",
    ])
    .fails(1, &["label 1"]);
}

fn probability(answer: &Value, label: &str) -> f64 {
    let labels = answer["labels"].as_array().expect("labels");
    let hit = labels.iter().find(|hit| hit["label"] == label);
    hit.and_then(|hit| hit["probability"].as_f64())
        .unwrap_or_else(|| panic!("no {label} in {answer}"))
}

#[test]
fn a_siglip_s_probabilities_are_each_label_s_own() {
    let bundle = Draft::new("siglip").into_packed();
    let answer = label(&bundle.path, &["--resolution", "96"]);
    assert_eq!(answer["probabilities"], "sigmoid", "{answer}");
    for word in ["a cat", "a dog", "a rocket"] {
        let logit = 20.0 * score(&answer, word) - 6.0;
        let expected = 1.0 / (1.0 + (-logit).exp());
        assert!(
            (probability(&answer, word) - expected).abs() < 1e-4,
            "{answer}"
        );
    }
    // What else is asked for changes nothing of it; in the other bundles it does.
    for (bundle, kind, same) in [
        (&bundle, "sigmoid", true),
        (&Draft::new("conv").into_packed(), "softmax", false),
    ] {
        let few = label(&bundle.path, &["--resolution", "96"]);
        let more = label(
            &bundle.path,
            &["--resolution", "96", "--label", "a red bus"],
        );
        assert_eq!(few["probabilities"], kind);
        let (one, other) = (probability(&few, "a cat"), probability(&more, "a cat"));
        assert_eq!(one == other, same, "{one} {other}");
    }
    let photo = photo("chelsea.jpg");
    let text = [
        "label",
        &photo,
        "--labels",
        "a cat",
        "--bundle",
        &bundle.path,
    ];
    let run = ocellus(text);
    assert!(run.stdout.contains("label's own"), "{run:?}");
}

#[test]
fn a_siglip_s_words_are_canonical_and_unknown_ones_are_named() {
    let bundle = Draft::new("siglip").into_packed();
    let photo = photo("chelsea.jpg");
    let long = "a cat ".repeat(100);
    let mut words = vec!["label", &photo, "--json", "--bundle", &bundle.path];
    for word in ["A_CAT!", "a cat", long.trim(), "a cat \u{732b}"] {
        words.extend(["--label", word]);
    }
    let answer = ocellus(words).answer();
    assert_eq!(
        score(&answer, "A_CAT!"),
        score(&answer, "a cat"),
        "{answer}"
    );
    let warnings = answer["warnings"].as_array().expect("a warning");
    assert!(
        warnings.len() == 1
            && warnings[0]
                .as_str()
                .is_some_and(|of| of.contains('\u{732b}')),
        "{warnings:?}"
    );
    for word in ["\u{732b}", "?!"] {
        let words = ["label", &photo, "--bundle", &bundle.path, "--label", word];
        ocellus(words).fails(1, &["expected a word that the bundle's vocabulary knows"]);
    }
}

#[test]
fn an_embedding_head_with_a_map_says_where() {
    let bundle = Draft::new("map").into_packed();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sides = [image::Rgb([230u8, 40, 30]), image::Rgb([20, 60, 200])];
    let mut horizontal = Vec::new();
    for mirrored in [false, true] {
        let at = |x| sides[usize::from((x < 32) == mirrored)];
        let path = folder.path().join("halves.png");
        image::RgbImage::from_fn(64, 64, |x, _| at(x))
            .save(&path)
            .expect("a file");
        let path = path.display().to_string();
        let call = [
            "label",
            &path,
            "--json",
            "--where",
            "--bundle",
            &bundle.path,
            "--labels",
            "a cat,a rocket",
            "--resolution",
            "64",
        ];
        let answer = ocellus(call).answer();
        let hits = answer["labels"].as_array().expect("labels");
        let hit = hits
            .iter()
            .find(|hit| hit["label"] == "a cat")
            .expect("the label");
        let rows: Vec<Vec<f64>> = serde_json::from_value(hit["relevance"].clone()).expect("rows");
        assert!(
            rows.len() == 2 && rows.iter().all(|row| row.len() == 2),
            "{hit}"
        );
        assert!((rows[0][0] - rows[1][0]).abs() < 1e-3, "{hit}");
        assert!((rows[0][0] / rows[0][1]).ln().abs() > 0.1, "{hit}");
        horizontal.push(hit["peak_px"][0].as_f64().expect("a peak"));
    }
    // A label is where its half of the picture is.
    assert!(
        (horizontal[0] < 32.0) != (horizontal[1] < 32.0),
        "{horizontal:?}"
    );
}

#[test]
fn where_is_refused_by_a_bundle_that_cannot_tell() {
    let bundle = Draft::new("conv").into_packed();
    let photo = photo("chelsea.jpg");
    ocellus([
        "label",
        &photo,
        "--labels",
        "a cat",
        "--where",
        "--bundle",
        &bundle.path,
    ])
    .fails(2, &["clip-conv-random", "[relevance]"]);
}

#[test]
fn photos_are_indexed_searched_and_watched() {
    let bundle = Draft::new("vit").into_packed();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["chelsea.jpg", "coffee.jpg"] {
        std::fs::copy(photo(name), folder.path().join(name)).expect("a photo");
    }
    let photos = folder.path().to_str().expect("UTF-8");
    let db = folder.path().join("photos.db").display().to_string();
    let run = ocellus(["index", photos, "--db", &db, "--bundle", &bundle.path]);
    assert_eq!(run.code, 0, "{run:?}");
    let like = ocellus([
        "search",
        "--like",
        &photo("coffee.jpg"),
        "--db",
        &db,
        "--json",
        "--bundle",
        &bundle.path,
    ])
    .json();
    assert!(
        like[0]["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("coffee.jpg")),
        "{like:?}"
    );
    assert!(
        like[0]["score"].as_f64() > Some(0.99) && like[1]["score"].as_f64() < Some(0.9),
        "{like:?}"
    );
    let words = ocellus([
        "search",
        "a cup of coffee",
        "--db",
        &db,
        "--json",
        "--bundle",
        &bundle.path,
    ])
    .json();
    assert_eq!(words.len(), 2);
    assert!(
        words.iter().all(|hit| hit["no_match"] == false),
        "{words:?}"
    );
    let watch = [
        "watch",
        "--source",
        photos,
        "--labels",
        "a cat,a dog",
        "--json",
        "--bundle",
        &bundle.path,
    ];
    let watched = ocellus(watch);
    assert_eq!(watched.code, 0, "{watched:?}");
    let frames = watched.json();
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert!(
        frames
            .iter()
            .all(|frame| frame["bundle"]["name"] == "clip-vit-random"),
        "{frames:?}"
    );
    // An index of one space is none of another's.
    ocellus(["search", "a cat", "--db", &db]).fails(1, &["clip-vit-random", "ocellus-default"]);
}
