//! Trees and images against what others make of the same tars: [`archive::unpack`], GNU tar, and the kernel with our images
//! mounted. Needs root; what cannot be mounted here is left out with a message.

mod hostile;
mod image;
#[path = "../../../archive/tests/material/mod.rs"]
mod material;
mod merged;
mod mounted;
mod seen;
mod support;
