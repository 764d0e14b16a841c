// ExecClient
