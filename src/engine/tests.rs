//! The engine with a fake source and a fake store.
