// ExecServer
