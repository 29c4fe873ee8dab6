//! How long the long loops run: `NUNCIO_SOAK`, short by default, medium in the gate.

/// Picks the length of a loop by `NUNCIO_SOAK` (`short`, `medium` or `long`).
///
/// # Panics
/// On another value, so that a misspelt one does not pass for a long run.
pub fn soak<T>(short: T, medium: T, long: T) -> T {
    match std::env::var("NUNCIO_SOAK").as_deref() {
        Err(_) | Ok("" | "short") => short,
        Ok("medium") => medium,
        Ok("long") => long,
        Ok(other) => panic!("NUNCIO_SOAK is short, medium or long, not {other}"),
    }
}
