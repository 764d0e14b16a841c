// ExecCore
