//! Members that take integers as they are, with no Dequantize before them: pools, and axes that come and go.

use tract_core::ops::cnn;
use tract_onnx::tract_hir::internal::*;

use super::pools::max_pool;
use super::{Finder, Member, Nchw, Work, nchw, without_number};
use crate::region::chain::read_once;
use crate::region::function::{is_one_pixel, keeps_order};

impl Finder<'_> {
    /// The member that ends in the node `id` and takes integers as they are: a pool, or axes that come and go.
    pub(super) fn on_bytes(&self, id: usize) -> Option<Member> {
        let model = self.model;
        let output = OutletId::new(id, 0);
        let shape = nchw(model, output)?;
        if let Some(pool) = model.node(id).op_as::<cnn::MaxPool>() {
            let x = model.node(id).inputs[0];
            let work = Work::MaxPool(max_pool(pool, [nchw(model, x)?, shape])?);
            return self.is_bytes(x).then(|| self.alone(work, id, shape));
        }
        let mut moved: Option<Member> = None;
        let mut at = output;
        // On the way there may be shapes that no region has.
        while let Some(op) = model.node(at.node).op_as::<AxisOp>() {
            let x = model.node(at.node).inputs[0];
            let sizes = model.outlet_fact(x).ok()?.shape.as_concrete()?;
            if !self.is_bytes(x) || !keeps_order(op, sizes) || self.covered.contains(&at.node) {
                break;
            }
            let member = moved.get_or_insert_with(|| self.alone(Work::Move, id, shape));
            if at != output {
                member.covered.push(at.node);
                member.names.push(without_number(&model.node(at.node).name));
            }
            member.inputs = tvec![InletId::new(at.node, 0)];
            if !read_once(model, x) {
                break;
            }
            at = x;
        }
        let first = moved.as_ref()?.inputs[0];
        let source = nchw(model, model.node(first.node).inputs[0])?;
        moved.filter(|_| source == shape && is_one_pixel(shape))
    }

    /// The member that is the node `id`.
    fn alone(&self, work: Work, id: usize, shape: Nchw) -> Member {
        Member {
            work,
            inputs: tvec![InletId::new(id, 0)],
            output: OutletId::new(id, 0),
            shape,
            covered: vec![id],
            names: vec![without_number(&self.model.node(id).name)],
        }
    }

    /// Whether the values at `outlet` are bytes that are computed.
    fn is_bytes(&self, outlet: OutletId) -> bool {
        let fact = self.model.outlet_fact(outlet);
        fact.is_ok_and(|fact| {
            matches!(fact.datum_type, DatumType::U8 | DatumType::I8) && fact.konst.is_none()
        })
    }
}
