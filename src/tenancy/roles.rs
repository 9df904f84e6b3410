//! Roles of a firm and of a tenant.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! roles {
    ($(#[$enum_doc:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As in the API and the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(()) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
    };
}

roles! {
    /// Role of a person in a consultancy.
    FirmRole {
        /// Manages tenants, people and engagements; no approval right in any tenant (CO).
        Owner = "owner",
        /// Leads engagements and releases drafts for approval (CL).
        Lead = "lead",
        /// Drafts and assesses for assigned tenants (CN).
        Consultant = "consultant",
    }
}

roles! {
    /// Role of a person in a tenant. A person may hold several.
    Role {
        /// Lead consultant, through an engagement (CL).
        Lead = "lead",
        /// Consultant, through an engagement (CN).
        Consultant = "consultant",
        /// Top management: approves scope, policy, criteria, residual risk (TM).
        TopManagement = "top_management",
        /// Runs the AIMS (AM).
        AimsManager = "aims_manager",
        /// Owns AI systems (SO).
        SystemOwner = "system_owner",
        /// Owns risks; accepts residual risk inside the tolerance (RO).
        RiskOwner = "risk_owner",
        /// Owns processes and controls (PO).
        ProcessOwner = "process_owner",
        /// May override or stop a system (OV).
        Overseer = "overseer",
        /// Plans and reports audits (IA).
        InternalAuditor = "internal_auditor",
        /// Reads released documents, reports concerns (EM).
        Employee = "employee",
        /// Reads everything, changes nothing.
        Viewer = "viewer",
        /// Auditor of a certification body, for a limited time (EA).
        ExternalAuditor = "external_auditor",
    }
}

impl Role {
    /// Whether it comes from an engagement of a consultancy: such a person never approves for
    /// the client (GEN-1).
    pub const fn is_of_consultancy(self) -> bool {
        matches!(self, Self::Lead | Self::Consultant)
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Lead => 1,
            Self::Consultant => 1 << 1,
            Self::TopManagement => 1 << 2,
            Self::AimsManager => 1 << 3,
            Self::SystemOwner => 1 << 4,
            Self::RiskOwner => 1 << 5,
            Self::ProcessOwner => 1 << 6,
            Self::Overseer => 1 << 7,
            Self::InternalAuditor => 1 << 8,
            Self::Employee => 1 << 9,
            Self::Viewer => 1 << 10,
            Self::ExternalAuditor => 1 << 11,
        }
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u16);

impl Roles {
    /// Who may read the records of a tenant. Employees get released documents, external
    /// auditors what is shared with them; neither comes through the records themselves.
    pub const READERS: Self = Self::of(&[
        Role::Lead,
        Role::Consultant,
        Role::TopManagement,
        Role::AimsManager,
        Role::SystemOwner,
        Role::RiskOwner,
        Role::ProcessOwner,
        Role::Overseer,
        Role::InternalAuditor,
        Role::Viewer,
    ]);
    /// Who may write some kind of record at all; the kind decides further.
    pub const WRITERS: Self = Self::of(&[
        Role::Lead,
        Role::Consultant,
        Role::TopManagement,
        Role::AimsManager,
        Role::SystemOwner,
        Role::RiskOwner,
        Role::ProcessOwner,
        Role::Overseer,
        Role::InternalAuditor,
    ]);
    /// Who manages the people of a tenant.
    pub const INVITERS: Self = Self::of(&[Role::TopManagement, Role::AimsManager, Role::Lead]);

    /// The set of these roles.
    pub const fn of(mut roles: &[Role]) -> Self {
        let mut bits = 0;
        while let [first, rest @ ..] = roles {
            bits |= first.bit();
            roles = rest;
        }
        Self(bits)
    }

    /// Roles by their names; unknown names are left out.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names
            .into_iter()
            .filter_map(|name| name.parse::<Role>().ok())
            .fold(Self::default(), |set, role| Self(set.0 | role.bit()))
    }

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this role is among them.
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether the two sets share a role.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the holder comes from a consultancy.
    pub const fn is_of_consultancy(self) -> bool {
        self.meets(Self::of(&[Role::Lead, Role::Consultant]))
    }

    /// The roles, in their usual order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL
            .iter()
            .copied()
            .filter(move |role| self.has(*role))
    }

    /// Their names.
    pub fn names(self) -> Vec<String> {
        self.iter().map(|role| role.as_str().to_owned()).collect()
    }
}
