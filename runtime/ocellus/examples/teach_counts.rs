//! Teaches one example more, between two marks of an instruction counter.
//!
//! `cargo xtask bench --report-teach` counts, and joins one count with each line of this program's output, in order: a JSON
//! object with what was done, the labels that the session has, and the examples that it was taught before. `encode` is the
//! image encoder at the resolution of examples, `teach` a whole call of `Session::teach`, that encoding among it; `next`
//! the frame behind it, for which the labels' standing is made anew, and `later` one more.

use ocellus::{
    Bundle, Engine, Examples, Policy, Session, SessionOptions, detect_isa, sys::mark, vision::Frame,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const LABELS: usize = 100;
const EXAMPLES: [usize; 3] = [100, 400, 800];
const SIDE: usize = 160;

fn main() {
    let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
    let engine = Arc::new(Engine::load(bundle, detect_isa()).expect("an engine"));
    let labels = labels(&engine);
    let mut random = Random(7);
    let pixels: Vec<u8> = (0..SIDE * SIDE * 3).map(|_| random.byte()).collect();
    let frame = Frame::rgb(SIDE, SIDE, &pixels).expect("a frame");
    for examples in EXAMPLES {
        let options = SessionOptions {
            policy: Some(Policy::Fixed(SIDE as u32)),
            ..SessionOptions::default()
        };
        let mut session = Session::new(Arc::clone(&engine), options).expect("a session");
        session.set_labels(labels.clone()).expect("known labels");
        let taught = taught(engine.bundle(), &labels, examples, &mut random);
        session.set_examples(&taught).expect("whole examples");
        assert_eq!(session.examples().len(), examples);
        session.warm_up().expect("a plan");
        for _ in 0..2 {
            session.infer(&frame).expect("a report");
        }
        let side = session.examples().resolution();
        let print = |what: &str| {
            let isa = engine.isa().name();
            println!(
                r#"{{"isa":"{isa}","what":"{what}","labels":{LABELS},"examples":{examples}}}"#
            );
        };
        count(|| engine.encode(side, &pixels).map(drop));
        print("encode");
        count(|| session.teach(&labels[LABELS / 2], &frame).map(drop));
        print("teach");
        count(|| session.infer(&frame).map(drop));
        print("next");
        count(|| session.infer(&frame).map(drop));
        print("later");
        assert_eq!(session.examples().len(), examples + 1);
        assert!(session.blend().left_out > 0 || examples == LABELS);
    }
}

fn count(work: impl FnOnce() -> Result<(), ocellus::Error>) {
    mark::begin();
    let done = work();
    mark::end();
    done.expect("a frame can be answered");
}

/// Names that the bundle's words know.
fn labels(engine: &Engine) -> Vec<String> {
    let names = (0..).map_while(|class| engine.class_name(class));
    let mut labels: Vec<String> = Vec::new();
    for name in names {
        let name = name.to_owned();
        if engine.embed_label(&name).is_ok() && !labels.contains(&name) {
            labels.push(name);
        }
        if labels.len() == LABELS {
            break;
        }
    }
    labels
}

/// As many examples, dealt out to the labels, in the form of [`Examples::to_bytes`]: each label's around a key of its own.
fn taught(bundle: &Bundle, labels: &[String], count: usize, random: &mut Random) -> Examples {
    let mut bytes = Examples::none(bundle).to_bytes();
    let number = |n: usize| (n as u32).to_le_bytes();
    // Without the number of labels, which is none, and the checksum.
    bytes.truncate(bytes.len() - 4 - 32);
    bytes.extend(number(labels.len()));
    let channels = bundle.manifest().image.channels;
    for label in labels {
        bytes.extend(number(label.len()));
        bytes.extend(label.bytes());
        bytes.extend(number(count / labels.len()));
        let centre: Vec<u8> = (0..channels).map(|_| random.byte() / 4).collect();
        for _ in 0..count / labels.len() {
            bytes.extend(0.02_f32.to_le_bytes());
            bytes.extend(centre.iter().map(|middle| middle + random.byte() / 8));
        }
    }
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    Examples::read(bundle, &bytes).expect("examples")
}

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}
