//! Layers that run together, band by band, give the bytes that they give one after another.

use std::path::Path;
use std::sync::Arc;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Observer};
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
    // Heights that no band divides, and maps of which the last band has one row.
    let sizes = [[224, 224], [161, 200], [250, 97], [112, 112]];
    for (tier, threads) in [
        (Tier::ALL[Tier::ALL.len() - 1], 1),
        (Tier::Scalar, 1),
        (Tier::Neon, 1),
        (Tier::Neon, 3),
    ] {
        let encoder = encoder(tier, threads);
        for size in sizes {
            let dims = [1, 3, size[0], size[1]].map(Dim::Fixed);
            let plan = encoder.plan("image", &dims, &["map", "features"]);
            let (plan, picture) = (plan.expect("a plan"), picture(size));
            let mut all = Everything(0);
            let apart = plan
                .run_observed(Input::F32(&picture), &mut all)
                .expect("a result");
            assert_eq!(all.0, plan.operations().len(), "every step runs alone");
            // Twice: what a run leaves behind is nothing to the next.
            for _ in 0..2 {
                let together = plan.run(Input::F32(&picture)).expect("a result");
                assert!(together == apart, "{size:?} with {threads} threads");
            }
        }
    }
}
