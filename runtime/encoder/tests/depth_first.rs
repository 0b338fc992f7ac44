//! Layers that run together, band by band, give the bytes that they give one after another.

use std::path::Path;
use std::sync::Arc;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Observer, Tensor};
use ocellus_kernels::Tier;
use ocellus_sys::Pool;

/// Hears everything, so that nothing runs together.
struct Everything(usize);

impl Observer for Everything {
    fn begin(&mut self, _: usize) {
        self.0 += 1;
    }

    fn end(&mut self, _: usize) {}
}

fn encoder(tier: Tier, threads: usize) -> Encoder {
    let path = Path::new("../../models/default/image.onnx");
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let model = CheckedModel::scan("image.onnx", &bytes, &Limits::default()).expect("a good file");
    let isa = ocellus_sys::isa::detect().at_most(tier);
    let encoder = Encoder::new(model, isa).expect("a graph");
    encoder.with_pool(Arc::new(Pool::in_turn(threads)))
}

/// Grain, so that every pixel counts.
fn picture([height, width]: [usize; 2]) -> Vec<f32> {
    let grain = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) % 512;
    let pixels = 0..3 * height * width;
    pixels.map(|at| grain(at) as f32 / 128.0 - 2.0).collect()
}

#[test]
fn every_byte_is_that_of_the_layers_one_after_another() {
    // Heights that no band divides, and maps of which the last band has one row; the largest for one kind of kernels only,
    // since the bands are cut alike for all.
    let sizes = [[113, 101], [161, 97], [224, 224]];
    let best = Tier::ALL[Tier::ALL.len() - 1];
    let mut seen = Vec::new();
    for (tier, counts, alone) in [
        (best, &[1, 2, 4, 16][..], 3),
        (Tier::Neon, &[1, 3], 2),
        (Tier::Scalar, &[1], 1),
    ] {
        let isa = encoder(tier, 1).isa().name();
        if seen.contains(&isa) {
            continue;
        }
        seen.push(isa);
        let mut expected: Vec<Vec<Tensor>> = Vec::new();
        for &threads in counts {
            let encoder = encoder(tier, threads);
            // Threads are cut alike in all sizes.
            let sizes = &sizes[..if threads == 1 { alone } else { 2 }];
            for (at, &size) in sizes.iter().enumerate() {
                let dims = [1, 3, size[0], size[1]].map(Dim::Fixed);
                let plan = encoder.plan("image", &dims, &["map", "features"]);
                let (plan, picture) = (plan.expect("a plan"), picture(size));
                if threads == 1 {
                    let mut all = Everything(0);
                    let apart = plan.run_observed(Input::F32(&picture), &mut all);
                    assert_eq!(all.0, plan.operations().len(), "every step runs alone");
                    expected.push(apart.expect("a result"));
                }
                // Twice: what a run leaves behind is nothing to the next.
                for _ in 0..2 {
                    let together = plan.run(Input::F32(&picture)).expect("a result");
                    assert!(
                        together == expected[at],
                        "{tier} {size:?} with {threads} threads"
                    );
                }
            }
        }
    }
}

#[test]
fn threads_that_are_watched_compute_the_same() {
    let (size, picture) = ([113, 101], picture([113, 101]));
    let dims = [1, 3, size[0], size[1]].map(Dim::Fixed);
    let best = Tier::ALL[Tier::ALL.len() - 1];
    let [one, four] = [1, 4].map(|threads| {
        let encoder = encoder(best, threads);
        let plan = encoder.plan("image", &dims, &["map"]).expect("a plan");
        let apart = plan.run_observed(Input::F32(&picture), &mut Everything(0));
        apart.expect("a result")
    });
    assert!(one == four);
}
