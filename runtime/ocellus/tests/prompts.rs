//! Templates of a call and a bundle's soft prompts, against a plain re-computation; and what is refused.

use ocellus::{
    Bundle, Engine, Error, PromptOptions, Query, Session, SessionOptions, bundle::BundleError,
    detect_isa, heads::cosine,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const DIMENSION: usize = 128;
const LABEL: &str = "a red boat";

/// A safetensors file with one tensor.
fn tensor(name: &str, shape: [usize; 2], values: &[f32]) -> Vec<u8> {
    let bytes = 4 * values.len();
    let header =
        format!(r#"{{"{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[0,{bytes}]}}}}"#);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

/// Three directions that are no multiples of each other.
fn offsets() -> Vec<f32> {
    let value = |at: usize| ((at * 37 % 101) as f32 - 50.0) / 400.0;
    (0..3 * DIMENSION).map(value).collect()
}

/// The default bundle with soft prompts, whose file may be another than the manifest says.
fn bundle(file: Vec<u8>, hashed: &[u8], dimension: usize) -> Result<Bundle, BundleError> {
    let mut files: Vec<(String, Vec<u8>)> = ocellus_models::DEFAULT
        .iter()
        .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
        .collect();
    let hash: String = Sha256::digest(hashed)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let manifest = files.iter_mut().find(|(name, _)| name == "manifest.toml");
    let text = &mut manifest.expect("a manifest").1;
    text.extend(
        format!(
            "\n[[file]]\nname = \"prompts.safetensors\"\nsha256 = \"{hash}\"\nbytes = {}\n\
             \n[soft_prompts]\nfile = \"prompts.safetensors\"\ndimension = {dimension}\nmix = 0.5\n",
            file.len()
        )
        .bytes(),
    );
    files.push(("prompts.safetensors".into(), file));
    Bundle::from_memory(files)
}

fn soft_bundle() -> Bundle {
    let file = tensor("offsets", [3, DIMENSION], &offsets());
    bundle(file.clone(), &file, DIMENSION).expect("a bundle")
}

fn engine(bundle: Bundle) -> Arc<Engine> {
    Arc::new(Engine::load(bundle, detect_isa()).expect("an engine"))
}

fn default_engine() -> Arc<Engine> {
    engine(Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle"))
}

fn unit(vector: Vec<f64>) -> Vec<f64> {
    let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

/// The direction that vectors share, each counting alike.
fn mean(vectors: &[Vec<f64>]) -> Vec<f64> {
    let sum = |at: usize| vectors.iter().map(|vector| vector[at]).sum();
    unit((0..DIMENSION).map(sum).collect())
}

fn prompt(engine: &Engine, text: &str) -> Vec<f64> {
    let embedding = engine.embed_prompt(text).expect("known words");
    embedding.into_iter().map(f64::from).collect()
}

fn embedding(engine: &Engine, options: &PromptOptions) -> Vec<f32> {
    let query = Query::prompted(engine, LABEL, 160, options).expect("a query");
    query.embedding().to_vec()
}

fn same(got: &[f32], want: &[f64]) {
    let cosine: f64 = got.iter().zip(want).map(|(a, b)| f64::from(*a) * b).sum();
    assert!(cosine > 0.999_999, "{cosine}");
}

#[test]
fn templates_of_a_call_are_averaged_in_the_bundle_s_place() {
    let engine = default_engine();
    let templates = ["a photo of a {}", "{} in the rain"].map(str::to_owned);
    let options = PromptOptions {
        templates: templates.to_vec(),
        mix: None,
    };
    let prompts = templates.map(|template| prompt(&engine, &template.replace("{}", LABEL)));
    same(&embedding(&engine, &options), &mean(&prompts));
    let own = engine.embed_label(LABEL).expect("known words");
    assert!(cosine(&own, &embedding(&engine, &options)) < 0.999);
    assert_eq!(own, embedding(&engine, &PromptOptions::default()));
}

#[test]
fn soft_prompts_are_mixed_as_the_specification_says() {
    let engine = engine(soft_bundle());
    let hard = prompt(&engine, &format!("a photo of a {LABEL}"));
    let label = prompt(&engine, LABEL);
    let moved: Vec<Vec<f64>> = offsets()
        .chunks(DIMENSION)
        .map(|offset| {
            let sum = label.iter().zip(offset);
            unit(sum.map(|(x, &o)| x + f64::from(o)).collect())
        })
        .collect();
    let soft = mean(&moved);
    for (mix, share) in [
        (None, 0.5),
        (Some(0.0), 0.0),
        (Some(0.3), 0.3),
        (Some(1.0), 1.0),
    ] {
        let options = PromptOptions {
            templates: Vec::new(),
            mix,
        };
        let both = hard.iter().zip(&soft);
        let want = both.map(|(hard, soft)| (1.0 - share) * hard + share * soft);
        same(&embedding(&engine, &options), &unit(want.collect()));
    }
    // The bundle's own mix is what a label gets that nobody asks anything for.
    let own = engine.embed_label(LABEL).expect("known words");
    assert_eq!(own, embedding(&engine, &PromptOptions::default()));
}

#[test]
fn prompts_that_cannot_be_used_are_refused() {
    let engine = default_engine();
    let session = |templates: &[&str], mix| {
        let options = SessionOptions {
            prompts: PromptOptions {
                templates: templates.iter().map(|text| text.to_string()).collect(),
                mix,
            },
            ..SessionOptions::default()
        };
        Session::new(Arc::clone(&engine), options).map(|_| ())
    };
    for templates in [&["a photo"][..], &["{}", "{} and {}"]] {
        let error = session(templates, None).expect_err("no hole, or two");
        assert!(matches!(error, Error::Template(_)), "{error}");
        assert!(error.to_string().contains("{}"), "{error}");
    }
    for mix in [-0.1, 1.1, f32::NAN] {
        let error = session(&[], Some(mix)).expect_err("no share");
        assert!(matches!(error, Error::PromptMix { .. }), "{error}");
    }
    let error = session(&[], Some(0.5)).expect_err("no soft prompts");
    assert!(matches!(error, Error::NoSoftPrompts { .. }), "{error}");
    assert_eq!(
        session(&["{}"], Some(0.0)).map_err(|e| e.to_string()),
        Ok(())
    );
}

#[test]
fn a_file_of_soft_prompts_that_is_none_is_refused() {
    let refused = |file: Vec<u8>, dimension: usize, words: &[&str]| {
        let engine = bundle(file.clone(), &file, dimension)
            .map_err(Error::from)
            .and_then(|bundle| Engine::load(bundle, detect_isa()));
        let error = engine.map(|_| ()).expect_err("a bad file");
        assert!(matches!(error, Error::Bundle(_)), "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "no {word:?} in {error}");
        }
    };
    let good = offsets();
    let file = |shape, values: &[f32]| tensor("offsets", shape, values);
    refused(
        file([6, 64], &good),
        DIMENSION,
        &["prompts.safetensors", "offsets", "128"],
    );
    refused(
        file([3, DIMENSION], &good),
        64,
        &["soft_prompts.dimension", "128", "64"],
    );
    let mut nan = good.clone();
    nan[200] = f32::NAN;
    refused(
        file([3, DIMENSION], &nan),
        DIMENSION,
        &["offsets[200]", "finite"],
    );
    refused(
        tensor("other", [3, DIMENSION], &good),
        DIMENSION,
        &["offsets", "nothing"],
    );
    refused(
        file([0, DIMENSION], &[]),
        DIMENSION,
        &["offsets", "1 to 1024"],
    );
    refused(b"no tensors".to_vec(), DIMENSION, &["safetensors"]);

    let whole = file([3, DIMENSION], &good);
    let error = bundle(whole, b"something else", DIMENSION).expect_err("another hash");
    assert!(matches!(error, BundleError::Hash { .. }), "{error}");
}
