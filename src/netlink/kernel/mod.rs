//! What the kernel can be asked and told, in this program's terms.

mod model;

pub(crate) use model::{
    Device, Event, Hop, KernelError, KernelRoute, Object, ObjectBody, Request, RouteKey,
    TunnelKind, Via,
};
