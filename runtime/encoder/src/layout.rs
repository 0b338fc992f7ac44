//! Where the elements of a tensor lie in another one, behind or before operators that only move axes.
//!
//! Axes that are split, moved and put together again are strides: an operator that knows them reads and writes its
//! neighbours' tensors as they lie.

use tract_onnx::tract_hir::internal::*;

/// The axes of a tensor, in elements of the one that it is a view of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl View {
    /// A tensor as it lies.
    pub(crate) fn whole(shape: &[usize]) -> View {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        View {
            shape: shape.into(),
            strides,
        }
    }

    /// The same with its last two axes in the other's place.
    pub(crate) fn turned(mut self) -> View {
        let rank = self.shape.len();
        self.shape.swap(rank - 2, rank - 1);
        self.strides.swap(rank - 2, rank - 1);
        self
    }

    /// The view behind `op`, if there is one.
    fn behind(mut self, op: &AxisOp) -> Option<View> {
        match op {
            AxisOp::Add(axis) => {
                self.shape.insert(*axis, 1);
                self.strides.insert(*axis, 0);
            }
            AxisOp::Rm(axis) => {
                self.shape.remove(*axis);
                self.strides.remove(*axis);
            }
            &AxisOp::Move(from, to) => {
                let (size, stride) = (self.shape.remove(from), self.strides.remove(from));
                self.shape.insert(to, size);
                self.strides.insert(to, stride);
            }
            AxisOp::Reshape(at, from, to) => {
                let to = sizes(to)?;
                let axes = *at..at + from.len();
                let (shape, strides) = (&self.shape[axes.clone()], &self.strides[axes.clone()]);
                let strides = reshaped(shape, strides, &to)?;
                self.shape.splice(axes.clone(), to);
                self.strides.splice(axes, strides);
            }
        }
        Some(self)
    }
}

fn sizes(dims: &[TDim]) -> Option<Vec<usize>> {
    dims.iter().map(|dim| dim.to_usize().ok()).collect()
}

/// The strides of axes of sizes `to` that are the same elements in the same order as axes of `shape` and `strides`.
fn reshaped(shape: &[usize], strides: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    // Neighbours that lie one in the other count as one, and those of size 1 not at all.
    let mut whole: Vec<(usize, usize)> = Vec::new();
    for (&size, &stride) in shape.iter().zip(strides).filter(|&(&size, _)| size != 1) {
        match whole.last_mut() {
            Some(outer) if outer.1 == stride * size => *outer = (outer.0 * size, stride),
            _ => whole.push((size, stride)),
        }
    }
    // From the innermost on, each new axis takes what it needs of one of them.
    let mut made = vec![0; to.len()];
    for (made, &size) in made
        .iter_mut()
        .zip(to)
        .rev()
        .filter(|&(_, &size)| size != 1)
    {
        let (left, stride) = whole.pop()?;
        if !left.is_multiple_of(size) {
            return None;
        }
        *made = stride;
        if left > size {
            whole.push((left / size, stride * size));
        }
    }
    whole.is_empty().then_some(made)
}

/// Where the matrices that are a tensor's last two axes lie in another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matrices {
    /// Of each matrix.
    pub(crate) starts: Vec<usize>,
    /// The distance of neighbours in a column.
    pub(crate) row: usize,
    /// The distance of neighbours in a row.
    pub(crate) column: usize,
}

impl Matrices {
    /// Those of `view`, which has two axes at least.
    pub(crate) fn of(view: &View) -> Matrices {
        let before = view.shape.len() - 2;
        let mut starts = vec![0];
        for (size, stride) in view.shape[..before].iter().zip(&view.strides) {
            let places = |start: usize| (0..*size).map(move |at| start + at * stride);
            starts = starts.into_iter().flat_map(places).collect();
        }
        Matrices {
            starts,
            row: view.strides[before],
            column: view.strides[before + 1],
        }
    }
}

/// Where the tensor at `outlet` comes from before its axes were moved, and how it lies in that.
pub(crate) fn before(model: &TypedModel, outlet: OutletId) -> Option<(OutletId, View)> {
    let mut chain = Vec::new();
    let mut source = outlet;
    while let Some(op) = model.node(source.node).op_as::<AxisOp>() {
        chain.push((op, source));
        source = model.node(source.node).inputs[0];
    }
    let mut view = View::whole(model.outlet_fact(source).ok()?.shape.as_concrete()?);
    for (op, made) in chain.into_iter().rev() {
        view = match view.behind(op) {
            Some(view) => view,
            // What cannot be a view is made, and begins anew.
            None => {
                source = made;
                View::whole(model.outlet_fact(made).ok()?.shape.as_concrete()?)
            }
        };
    }
    Some((source, view))
}

/// Where the tensor at `outlet` goes once its axes are moved, as long as nobody sees it on the way and rows stay whole, and how it
/// lies in that.
pub(crate) fn behind(model: &TypedModel, outlet: OutletId) -> Option<(OutletId, View)> {
    let shape = model
        .outlet_fact(outlet)
        .ok()?
        .shape
        .as_concrete()?
        .to_vec();
    let (mut at, mut best) = (outlet, (outlet, View::whole(&shape)));
    // Each axis of the tensor behind: those of ours that it is made of.
    let mut made: Vec<Vec<usize>> = (0..shape.len()).map(|axis| vec![axis]).collect();
    while let &[reader] = model.outlet_successors(at) {
        let node = model.node(reader.node);
        let (Some(op), false) = (node.op_as::<AxisOp>(), model.outputs.contains(&at)) else {
            break;
        };
        let Some(next) = moved(&shape, made, op) else {
            break;
        };
        made = next;
        at = node.id.into();
        let order: Vec<usize> = made.iter().flatten().copied().collect();
        if order.last() == Some(&(shape.len() - 1)) {
            best = (at, lying(&shape, &order));
        }
    }
    Some(best)
}

/// `made` behind `op`.
fn moved(shape: &[usize], mut made: Vec<Vec<usize>>, op: &AxisOp) -> Option<Vec<Vec<usize>>> {
    match op {
        AxisOp::Add(axis) => made.insert(*axis, vec![]),
        AxisOp::Rm(axis) => {
            // An axis of size one lies anywhere: it goes with its neighbour.
            let ours = made.remove(*axis);
            if let Some(first) = made.first_mut() {
                first.splice(0..0, ours);
            }
        }
        &AxisOp::Move(from, to) => {
            let axis = made.remove(from);
            made.insert(to, axis);
        }
        AxisOp::Reshape(at, from, to) => {
            let ours: Vec<usize> = made.drain(*at..at + from.len()).flatten().collect();
            let mut ours = ours.into_iter();
            let mut axes = Vec::new();
            for size in sizes(to)? {
                let (mut axis, mut taken) = (Vec::new(), 1);
                while taken < size {
                    let next = ours.next()?;
                    taken *= shape[next];
                    axis.push(next);
                }
                if taken != size {
                    return None;
                }
                axes.push(axis);
            }
            // What is left has size one, and lies in front as well as anywhere.
            axes.first_mut()?.splice(0..0, ours);
            made.splice(*at..*at, axes);
        }
    }
    Some(made)
}

/// A tensor of `shape` whose axes lie in `order`, the outermost first.
fn lying(shape: &[usize], order: &[usize]) -> View {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for &axis in order.iter().rev() {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    View {
        shape: shape.into(),
        strides,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reshape(at: usize, from: &[usize], to: &[usize]) -> AxisOp {
        let dims = |sizes: &[usize]| sizes.iter().map(|size| size.to_dim()).collect();
        AxisOp::Reshape(at, dims(from), dims(to))
    }

    fn chain(shape: &[usize], ops: &[AxisOp]) -> (TypedModel, Vec<OutletId>) {
        let mut model = TypedModel::default();
        let fact = f32::fact(shape.iter().copied().collect::<TVec<usize>>());
        let mut outlets = vec![model.add_source("x", fact).expect("a source")];
        for (at, op) in ops.iter().enumerate() {
            let input = [outlets[at]];
            let made = model.wire_node(format!("{at}"), op.clone(), &input);
            outlets.push(made.expect("a node")[0]);
        }
        let last = *outlets.last().expect("one");
        model
            .wire_node("end", tract_core::ops::math::square(), &[last])
            .expect("a reader");
        (model, outlets)
    }

    /// Every element of the engine's result is where the view says.
    fn check_before(shape: &[usize], ops: &[AxisOp]) -> bool {
        let (model, outlets) = chain(shape, ops);
        let (source, view) = before(&model, *outlets.last().expect("one")).expect("a view");
        let first = outlets
            .iter()
            .position(|outlet| *outlet == source)
            .expect("one");
        let shape = model
            .outlet_fact(source)
            .expect("a fact")
            .shape
            .as_concrete()
            .expect("known");
        let count = shape.iter().product::<usize>();
        let x: Vec<f32> = (0..count).map(|at| at as f32).collect();
        let mut tensor = Tensor::from_shape(shape, &x).expect("as many");
        for op in &ops[first..] {
            op.change_tensor(&mut tensor, false).expect("moved");
        }
        assert_eq!(tensor.shape(), &view.shape[..]);
        let made = tensor.to_plain_array_view::<f32>().expect("f32");
        for (index, value) in made.indexed_iter() {
            let place: usize = (0..view.shape.len())
                .map(|a| index[a] * view.strides[a])
                .sum();
            assert_eq!(x[place], *value, "{ops:?}");
        }
        first == 0
    }

    #[test]
    fn heads_are_read_where_they_lie() {
        let split = reshape(2, &[24], &[3, 8]);
        let to_heads = AxisOp::Move(2, 1);
        assert!(check_before(
            &[1, 5, 24],
            &[split.clone(), to_heads.clone()]
        ));
        let turned = [split.clone(), to_heads.clone(), AxisOp::Move(3, 2)];
        assert!(check_before(&[1, 5, 24], &turned));
        let flat = [split, to_heads.clone(), reshape(0, &[1, 3], &[3])];
        assert!(check_before(&[1, 5, 24], &flat));
        assert!(check_before(
            &[5, 24],
            &[AxisOp::Add(0), reshape(2, &[24], &[1, 3, 8]), AxisOp::Rm(0)]
        ));
        assert!(check_before(
            &[2, 3, 4],
            &[reshape(0, &[2, 3, 4], &[6, 2, 2])]
        ));
        // Turned elements that are put together again are no view: they are made.
        assert!(!check_before(
            &[4, 6],
            &[AxisOp::Move(0, 1), reshape(0, &[6, 4], &[24])]
        ));
        assert!(!check_before(
            &[4, 6],
            &[AxisOp::Move(0, 1), reshape(0, &[6, 4], &[4, 6])]
        ));
    }

    #[test]
    fn what_is_computed_is_written_where_it_goes() {
        let join = [AxisOp::Move(1, 2), reshape(2, &[3, 8], &[24])];
        let (model, outlets) = chain(&[1, 3, 5, 8], &join);
        let (last, view) = behind(&model, outlets[0]).expect("a view");
        assert_eq!((last, &view.strides[1..]), (outlets[2], &[8, 24, 1][..]));
        // Rows that are torn apart end the way.
        let torn = [AxisOp::Move(1, 2), AxisOp::Move(3, 0)];
        let (model, outlets) = chain(&[1, 3, 5, 8], &torn);
        let (last, view) = behind(&model, outlets[0]).expect("a view");
        assert_eq!((last, &view.strides[1..]), (outlets[1], &[8, 24, 1][..]));
        let split = [reshape(3, &[8], &[2, 4])];
        let (model, outlets) = chain(&[1, 3, 5, 8], &split);
        let (last, view) = behind(&model, outlets[0]).expect("a view");
        assert_eq!((last, &view.strides[1..]), (outlets[0], &[40, 8, 1][..]));
        let flat = [
            AxisOp::Rm(0),
            AxisOp::Move(0, 1),
            reshape(1, &[3, 8], &[24]),
        ];
        let (model, outlets) = chain(&[1, 3, 5, 8], &flat);
        let (last, view) = behind(&model, outlets[0]).expect("a view");
        assert_eq!((last, &view.strides[1..]), (outlets[3], &[8, 24, 1][..]));
    }
}
