pub mod clock;
pub mod postgres;
