//! Canaries: planted at every way in, looked for in every place, with proof that what is looked for would be found.

#[cfg(test)]
mod canaries;
#[cfg(test)]
mod control;
#[cfg(test)]
mod gather;
#[cfg(test)]
mod holders;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod mute;
#[cfg(test)]
mod walk;
